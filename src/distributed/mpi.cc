// What training on many machines needs of MPI, for Node. Built by `luvit engine install --mpi` with the site's own
// mpicxx, because every MPI has another binary interface. Collectives run on a thread of Node's pool, one at a time.

// The bindings to C++ that MPI has given up.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

// Node-API, version 8, as far as it is used: its binary interface is fixed, and Node's headers are not everywhere.
extern "C" {
typedef struct napi_env__* napi_env;
typedef struct napi_value__* napi_value;
typedef struct napi_ref__* napi_ref;
typedef struct napi_deferred__* napi_deferred;
typedef struct napi_async_work__* napi_async_work;
typedef struct napi_callback_info__* napi_callback_info;
typedef int napi_status;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
int napi_create_function(napi_env, const char*, size_t, napi_callback, void*, napi_value*);
int napi_set_named_property(napi_env, napi_value, const char*, napi_value);
int napi_get_cb_info(napi_env, napi_callback_info, size_t*, napi_value*, napi_value*, void**);
int napi_get_typedarray_info(napi_env, napi_value, int*, size_t*, void**, napi_value*, size_t*);
int napi_get_value_int32(napi_env, napi_value, int32_t*);
int napi_get_value_bool(napi_env, napi_value, bool*);
int napi_create_object(napi_env, napi_value*);
int napi_create_int32(napi_env, int32_t, napi_value*);
int napi_create_string_utf8(napi_env, const char*, size_t, napi_value*);
int napi_get_undefined(napi_env, napi_value*);
int napi_create_error(napi_env, napi_value, napi_value, napi_value*);
int napi_throw_error(napi_env, const char*, const char*);
int napi_create_reference(napi_env, napi_value, uint32_t, napi_ref*);
int napi_delete_reference(napi_env, napi_ref);
int napi_create_promise(napi_env, napi_deferred*, napi_value*);
int napi_resolve_deferred(napi_env, napi_deferred, napi_value);
int napi_reject_deferred(napi_env, napi_deferred, napi_value);
int napi_create_async_work(napi_env, napi_value, napi_value, void (*)(napi_env, void*),
                           void (*)(napi_env, napi_status, void*), void*, napi_async_work*);
int napi_queue_async_work(napi_env, napi_async_work);
int napi_delete_async_work(napi_env, napi_async_work);
}

namespace {

// Numbers of napi_typedarray_type.
enum { kFloat32 = 7, kFloat64 = 8 };

MPI_Op sum_bfloat16;

float widened(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// To the nearest, ties to even; what is not a number stays none.
uint16_t narrowed(float value) {
  if (value != value) return 0x7fc0;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void add_bfloat16(void* from, void* into, int* count, MPI_Datatype*) {
  const auto* a = static_cast<const uint16_t*>(from);
  auto* b = static_cast<uint16_t*>(into);
  for (int i = 0; i < *count; i++) b[i] = narrowed(widened(a[i]) + widened(b[i]));
}

napi_value text(napi_env env, const char* value, size_t length) {
  napi_value result;
  napi_create_string_utf8(env, value, length, &result);
  return result;
}

napi_value integer(napi_env env, int value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value library_version(napi_env env) {
  char version[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  MPI_Get_library_version(version, &length);
  return text(env, version, static_cast<size_t>(length));
}

// about(): the library's own words about its version; joins nothing.
napi_value about(napi_env env, napi_callback_info) { return library_version(env); }

// join(): { rank, size, version } of this process in its job. Once.
napi_value join(napi_env env, napi_callback_info) {
  int initialized, threads, rank, size;
  MPI_Initialized(&initialized);
  if (initialized) {
    napi_throw_error(env, nullptr, "this process has joined its job already");
    return nullptr;
  }
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads) != MPI_SUCCESS) {
    napi_throw_error(env, nullptr, "MPI_Init_thread failed");
    return nullptr;
  }
  if (threads < MPI_THREAD_SERIALIZED) {
    napi_throw_error(env, nullptr, "this MPI was built without threads (MPI_THREAD_SERIALIZED is needed)");
    return nullptr;
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Op_create(add_bfloat16, 1, &sum_bfloat16);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  napi_value result;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "rank", integer(env, rank));
  napi_set_named_property(env, result, "size", integer(env, size));
  napi_set_named_property(env, result, "version", library_version(env));
  return result;
}

// leave(): tells the job that this process ends well.
napi_value leave(napi_env env, napi_callback_info) {
  MPI_Finalize();
  napi_value nothing;
  napi_get_undefined(env, &nothing);
  return nothing;
}

struct Collective {
  napi_async_work work;
  napi_deferred deferred;
  napi_ref array;
  void* numbers;
  size_t count;
  MPI_Datatype type;
  bool halves;  // sent in bfloat16
  int root;     // of a broadcast; below 0 of a sum
  int status;
};

int sum_in_bfloat16(float* numbers, int count) {
  std::vector<uint16_t> halves(static_cast<size_t>(count));
  for (int i = 0; i < count; i++) halves[i] = narrowed(numbers[i]);
  const int status =
      MPI_Allreduce(MPI_IN_PLACE, halves.data(), count, MPI_UINT16_T, sum_bfloat16, MPI_COMM_WORLD);
  for (int i = 0; i < count; i++) numbers[i] = widened(halves[i]);
  return status;
}

void perform(napi_env, void* data) {
  auto* call = static_cast<Collective*>(data);
  const int count = static_cast<int>(call->count);
  if (call->root >= 0)
    call->status = MPI_Bcast(call->numbers, count, call->type, call->root, MPI_COMM_WORLD);
  else if (call->halves)
    call->status = sum_in_bfloat16(static_cast<float*>(call->numbers), count);
  else
    call->status = MPI_Allreduce(MPI_IN_PLACE, call->numbers, count, call->type, MPI_SUM, MPI_COMM_WORLD);
}

void settle(napi_env env, napi_status, void* data) {
  auto* call = static_cast<Collective*>(data);
  napi_delete_reference(env, call->array);
  if (call->status == MPI_SUCCESS) {
    napi_value nothing;
    napi_get_undefined(env, &nothing);
    napi_resolve_deferred(env, call->deferred, nothing);
  } else {
    char message[MPI_MAX_ERROR_STRING];
    int length;
    MPI_Error_string(call->status, message, &length);
    napi_value error;
    napi_create_error(env, nullptr, text(env, message, static_cast<size_t>(length)), &error);
    napi_reject_deferred(env, call->deferred, error);
  }
  napi_delete_async_work(env, call->work);
  delete call;
}

napi_value start(napi_env env, napi_callback_info info, bool broadcasts) {
  napi_value arguments[2];
  size_t given = 2;
  napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr);
  auto* call = new Collective{};
  int kind;
  size_t offset;
  napi_value buffer, promise;
  napi_get_typedarray_info(env, arguments[0], &kind, &call->count, &call->numbers, &buffer, &offset);
  call->root = -1;
  if (broadcasts)
    napi_get_value_int32(env, arguments[1], &call->root);
  else if (given > 1)
    napi_get_value_bool(env, arguments[1], &call->halves);
  call->type = kind == kFloat64 ? MPI_DOUBLE : kind == kFloat32 ? MPI_FLOAT : MPI_UINT8_T;
  napi_create_reference(env, arguments[0], 1, &call->array);
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_async_work(env, nullptr, text(env, "luvit mpi", 9), perform, settle, call, &call->work);
  napi_queue_async_work(env, call->work);
  return promise;
}

// sum(array, halves): float32 or float64 in place over all workers; float32 is sent in bfloat16 if `halves`.
napi_value sum(napi_env env, napi_callback_info info) { return start(env, info, false); }

// broadcast(array, root): what one worker has becomes what all have.
napi_value broadcast(napi_env env, napi_callback_info info) { return start(env, info, true); }

}  // namespace

extern "C" {
__attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; }

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback function;
  } all[] = {{"about", about}, {"join", join}, {"leave", leave}, {"sum", sum}, {"broadcast", broadcast}};
  for (const auto& one : all) {
    napi_value function;
    napi_create_function(env, one.name, strlen(one.name), one.function, nullptr, &function);
    napi_set_named_property(env, exports, one.name, function);
  }
  return exports;
}
}
