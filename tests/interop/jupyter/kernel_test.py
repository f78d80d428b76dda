"""jupyter_kernel_test over the luvit kernel: every test it has, none left out."""

import unittest

import jupyter_kernel_test


class LuvitKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "luvit"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oh')"
    completion_samples = [
        {"text": "parseFlo", "matches": {"parseFloat"}},
        {"text": "Math.hypo", "matches": {"hypot"}},
    ]
    complete_code_samples = ["const a = 1;", "for (const x of [1]) console.log(x);", "await null"]
    incomplete_code_samples = ["function f() {", "const text = `one", "/* open", "[1, 2,"]
    invalid_code_samples = ["const = 5 5", "}"]
    code_page_something = "parseFloat?"
    code_generate_error = "throw new RangeError('far')"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "await Promise.resolve([1, 'a'])", "result": "[ 1, 'a' ]"},
    ]
    code_display_data = [
        {"code": "import * as tslab from 'tslab'; tslab.display.html('<b>b</b>')", "mime": "text/html"},
        {"code": "tslab.display.png(new Uint8Array([137, 80, 78, 71]))", "mime": "image/png"},
        {"code": "tslab.display.svg('<svg/>')", "mime": "image/svg+xml"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseFloat"
    code_clear_output = "import { clearOutput } from 'luvit'; clearOutput()"


if __name__ == "__main__":
    unittest.main(verbosity=2)
