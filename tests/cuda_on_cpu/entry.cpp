// What the tests call, behind the kernels' text: one launch.

static Problem problem;

extern "C" const char* launch(const void* argument, unsigned long bytes, unsigned blocks, int threads, unsigned seed,
                              const cpu::Region* regions, int count) {
    if (bytes != sizeof(Problem)) return "the argument has another size than the kernel's";
    __builtin_memcpy(&problem, argument, bytes);
    return cpu::run([] { ENTRY(problem); }, blocks, threads, seed, regions, count, __start_block_memory,
                    __stop_block_memory - __start_block_memory);
}
