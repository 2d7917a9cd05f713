#ifndef TURNPIKE_CFUZZER_H
#define TURNPIKE_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// The entrance of libFuzzer; there only in a build with `-sanitize=fuzzer`.
int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*callback)(const uint8_t *data, size_t size));

#endif
