// A block of CUDA threads on a CPU: the fibers, their barriers and warps, and the watch over memory.
//
// Each CUDA thread is a fiber. Between two barriers the fibers run in an order drawn from a seed. Shared memory is NaN
// before each block. An asynchronous copy lands when it is waited for, and poisons its target until then. What a warp
// does together, the last lane to arrive does for all. Every access to global memory must lie within an array; every
// address may be written once.

#include "shim.h"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

Index threadIdx, blockIdx;

namespace cpu {


enum State { READY, AT_BARRIER, IN_WARP, DONE };
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

void fail(const char* what) {
    if (error.empty()) error = std::string(what) + " in block " + std::to_string(blockIdx.x) + ", thread " + std::to_string(current);
}

bool inside(const void* at, unsigned long bytes) {
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

void landed(std::size_t in_flight) {
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

// In the layout of the fragments of mma.sync.
void warp_mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], int parts, float (*part)(unsigned, int)) {
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

const char* run(void (*kernel)(), unsigned blocks, int threads, unsigned seed, const Region* known, int count,
                char* shared, unsigned long shared_bytes) {
    std::mt19937 random(seed);
    body = kernel;
    regions.assign(known, known + count);
    written.clear();
    error.clear();
    for (unsigned block = 0; block < blocks && error.empty(); ++block) {
        blockIdx.x = block;
        std::memset(shared, 0xff, shared_bytes);
        run_block(threads, random);
    }
    return error.c_str();
}

void barrier() { pause(AT_BARRIER); }

bool first_write(const void* at) { return written.insert(reinterpret_cast<std::uintptr_t>(at)).second; }

void copy(void* to, const void* from, int bytes, bool real) {
    if (real && !inside(from, bytes)) return fail("a copy from outside of every array");
    std::memset(to, 0xff, bytes);
    fibers[current].copies.back().push_back({to, from, bytes, real});
}

void issued() { fibers[current].copies.emplace_back(); }

}  // namespace cpu
