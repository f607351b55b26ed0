// A CPU in the place of instructions.cu: the kernels' own text runs behind it, and is watched.
//
// Each CUDA thread is a fiber. Between two barriers the fibers run in an order drawn from a seed. Shared memory is NaN
// before each block. An asynchronous copy lands when it is waited for, and poisons its target until then. What a warp
// does together, the last lane to arrive does for all. Every access to global memory must lie within an array; every
// address may be written once.

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#define DEVICE static inline
#define __device__
#define __global__
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("block_memory")))
#define __launch_bounds__(...)
#define __grid_constant__

struct Index { unsigned x; };
static Index threadIdx, blockIdx;
extern "C" char __start_block_memory[] __attribute__((weak));
extern "C" char __stop_block_memory[] __attribute__((weak));

namespace cpu {

enum State { READY, AT_BARRIER, IN_WARP, DONE };
struct Region { std::uintptr_t begin, end; };
struct Copy { void* to; const void* from; int bytes; bool real; };
struct Lane { float* c; const unsigned *a, *b; };
struct Warp { int arrived = 0; Lane lanes[32]; };
// A context starts a fiber; jumps switch between those that run, which spares the two system calls of swapcontext.
struct Fiber {
    ucontext_t context;
    jmp_buf place;
    bool started;
    std::vector<char> stack;
    State state;
    std::vector<std::vector<Copy>> copies;  // the last group is open
};

static std::vector<Fiber> fibers;
static std::vector<Warp> warps;
static std::vector<Region> regions;
static std::unordered_set<std::uintptr_t> written;
static std::string error;
static jmp_buf scheduler;
static int current;
static void (*body)();

static void fail(const std::string& what) {
    if (error.empty()) error = what + " in block " + std::to_string(blockIdx.x) + ", thread " + std::to_string(current);
}

static bool inside(const void* at, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(at);
    for (const Region& region : regions)
        if (begin >= region.begin && begin + bytes <= region.end) return begin % std::min<std::size_t>(bytes, 16) == 0;
    return false;
}

static void pause(State state) {
    Fiber& fiber = fibers[current];
    fiber.state = state;
    if (!_setjmp(fiber.place)) _longjmp(scheduler, 1);
}

static void resume(Fiber& fiber) {
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    setcontext(&fiber.context);
}

static void land(std::size_t in_flight) {
    auto& groups = fibers[current].copies;
    while (groups.size() > in_flight + 1) {
        for (const Copy& copy : groups.front())
            copy.real ? std::memcpy(copy.to, copy.from, copy.bytes) : std::memset(copy.to, 0, copy.bytes);
        groups.erase(groups.begin());
    }
}

static void start() {
    body();
    for (const auto& group : fibers[current].copies)
        if (!group.empty()) fail("a copy that nobody waited for");
    pause(DONE);
}

static void run_block(int threads, std::mt19937& random) {
    if (__start_block_memory) std::memset(__start_block_memory, 0xff, __stop_block_memory - __start_block_memory);
    fibers.resize(threads);
    warps.assign((threads + 31) / 32, {});
    std::vector<int> order(threads);
    for (int k = 0; k < threads; ++k) {
        Fiber& fiber = fibers[k];
        fiber.stack.resize(1 << 16);
        fiber.state = READY;
        fiber.started = false;
        fiber.copies.assign(1, {});
        getcontext(&fiber.context);
        fiber.context.uc_stack = {fiber.stack.data(), 0, fiber.stack.size()};
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, start, 0);
        order[k] = k;
    }
    for (;;) {
        std::shuffle(order.begin(), order.end(), random);
        bool moved = false;
        int done = 0, at_barrier = 0;
        for (int k : order) {
            if (fibers[k].state == READY) {
                moved = true;
                threadIdx.x = current = k;
                resume(fibers[k]);
            }
        }
        for (const Fiber& fiber : fibers) done += fiber.state == DONE, at_barrier += fiber.state == AT_BARRIER;
        if (done == threads || !error.empty()) return;
        if (at_barrier == threads) {
            for (Fiber& fiber : fibers) fiber.state = READY;
        } else if (!moved) {
            return fail("a barrier, or a warp, that not all threads reach");
        }
    }
}

// c (16 x 8) += a (16 x 8 words) b (8 words x 8), in the layout of the fragments of mma.sync. A word has `parts` numbers.
template <class Part>
static void warp_mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], int parts, Part part) {
    Warp& warp = warps[current / 32];
    warp.lanes[current % 32] = {c, a, b};
    if (++warp.arrived < 32) return pause(IN_WARP);
    float left[16][16], right[8][16];
    for (int word = 0; word < 8; ++word)
        for (int k = 0; k < parts; ++k) {
            for (int row = 0; row < 16; ++row)
                left[row][word * parts + k] = part(warp.lanes[row % 8 * 4 + word % 4].a[row / 8 + word / 4 * 2], k);
            for (int column = 0; column < 8; ++column)
                right[column][word * parts + k] = part(warp.lanes[column * 4 + word % 4].b[word / 4], k);
        }
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
            float& sum = warp.lanes[row % 8 * 4 + column / 2].c[row / 8 * 2 + column % 2];
            for (int k = 0; k < 8 * parts; ++k) sum += left[row][k] * right[column][k];
        }
    warp.arrived = 0;
    for (int k = current / 32 * 32; k < current / 32 * 32 + 32; ++k) fibers[k].state = READY;
}

static const char* run(void (*kernel)(), unsigned blocks, int threads, unsigned seed, const Region* known, int count) {
    std::mt19937 random(seed);
    body = kernel;
    regions.assign(known, known + count);
    written.clear();
    error.clear();
    for (unsigned block = 0; block < blocks && error.empty(); ++block) {
        blockIdx.x = block;
        run_block(threads, random);
    }
    return error.c_str();
}

}  // namespace cpu

static void __syncthreads() { cpu::pause(cpu::AT_BARRIER); }

template <class T>
DEVICE T read(const T* at) {
    if (cpu::inside(at, sizeof(T))) return *at;
    cpu::fail("a read outside of every array");
    return T{};
}

template <class T>
DEVICE void write(T* at, T value) {
    if (!cpu::inside(at, sizeof(T))) return cpu::fail("a write outside of every array");
    if (!cpu::written.insert(reinterpret_cast<std::uintptr_t>(at)).second) cpu::fail("a second write to one address");
    *at = value;
}

DEVICE unsigned bits_of(float value) { unsigned bits; std::memcpy(&bits, &value, 4); return bits; }
DEVICE float float_of_bits(unsigned bits) { float value; std::memcpy(&value, &bits, 4); return value; }

DEVICE float float_of_f16(unsigned short bits) { _Float16 half; std::memcpy(&half, &bits, 2); return half; }
DEVICE unsigned short f16_of_float(float value) {
    const _Float16 half = static_cast<_Float16>(value);
    unsigned short bits;
    std::memcpy(&bits, &half, 2);
    return bits;
}

DEVICE unsigned tf32_of_float(float value) {
    const unsigned bits = bits_of(value);
    return (bits & 0x7f800000) == 0x7f800000 ? bits : (bits + 0x1000) & ~0x1fffu;
}

template <int BYTES>
DEVICE void copy_async(void* to, const void* from, bool real) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
    if (real && !cpu::inside(from, BYTES)) return cpu::fail("a copy from outside of every array");
    std::memset(to, 0xff, BYTES);
    cpu::fibers[cpu::current].copies.back().push_back({to, from, BYTES, real});
}
DEVICE void copies_issued() { cpu::fibers[cpu::current].copies.emplace_back(); }
template <int IN_FLIGHT>
DEVICE void copies_landed() { cpu::land(IN_FLIGHT); }

DEVICE void mma_f16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    cpu::warp_mma(c, a, b, 2, [](unsigned word, int k) { return float_of_f16(static_cast<unsigned short>(word >> 16 * k)); });
}
DEVICE void mma_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    cpu::warp_mma(c, a, b, 2, [](unsigned word, int k) { return float_of_bits(word >> 16 * k << 16); });
}
DEVICE void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    cpu::warp_mma(c, a, b, 1, [](unsigned word, int) {
        if (word & 0x1fff) cpu::fail("a tf32 with more bits than it has");
        return float_of_bits(word);
    });
}
