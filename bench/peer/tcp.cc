// tcp <bytes> [port]: one of two processes that send each other so many bytes at once over the loopback, as a ring of two
// does, whenever a line comes in. Without a port it listens and prints the one it was given; prints milliseconds.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

static int connected(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  socklen_t length = sizeof address;
  auto* place = reinterpret_cast<sockaddr*>(&address);
  const int end = socket(AF_INET, SOCK_STREAM, 0);
  if (port != 0) return connect(end, place, length) == 0 ? end : -1;
  if (bind(end, place, length) != 0 || listen(end, 1) != 0) return -1;
  getsockname(end, place, &length);
  std::printf("port %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return accept(end, nullptr, nullptr);
}

int main(int count, char** words) {
  const size_t bytes = std::strtoull(words[1], nullptr, 10);
  const int peer = connected(count > 2 ? std::atoi(words[2]) : 0);
  if (peer < 0) return 1;
  const int now = 1;
  setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
  std::vector<char> out(bytes, 1), in(bytes, 2);
  char line[16];
  while (std::fgets(line, sizeof line, stdin)) {
    const auto started = std::chrono::steady_clock::now();
    std::thread sender([&] {
      for (size_t at = 0; at < bytes;) {
        const ssize_t sent = write(peer, out.data() + at, bytes - at);
        if (sent <= 0) std::exit(1);
        at += static_cast<size_t>(sent);
      }
    });
    for (size_t at = 0; at < bytes;) {
      const ssize_t got = read(peer, in.data() + at, bytes - at);
      if (got <= 0) return 1;
      at += static_cast<size_t>(got);
    }
    sender.join();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - started;
    std::printf("ms %f\n", took.count());
    std::fflush(stdout);
  }
}
