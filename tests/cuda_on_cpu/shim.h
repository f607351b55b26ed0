// A CPU in the place of instructions.cu: the kernels' own text runs behind it, on the threads of runtime.cpp.
//
// No header of the standard library, which would take longer to compile than a kernel.

#pragma once

#define DEVICE static inline
#define __device__
#define __global__
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("block_memory")))
#define __launch_bounds__(...)
#define __grid_constant__

struct Index { unsigned x; };
extern Index threadIdx, blockIdx;
extern char __start_block_memory[] __attribute__((weak)), __stop_block_memory[] __attribute__((weak));

namespace cpu {

struct Region { unsigned long begin, end; };

void fail(const char* what);  // the first one is reported
bool inside(const void* at, unsigned long bytes);
bool first_write(const void* at);
void barrier();
void copy(void* to, const void* from, int bytes, bool real);
void issued();
void landed(unsigned long in_flight);
// c (16 x 8) += a (16 x 8 words) b (8 words x 8), by all lanes of a warp; a word has `parts` numbers.
void warp_mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], int parts, float (*part)(unsigned, int));
const char* run(void (*kernel)(), unsigned blocks, int threads, unsigned seed, const Region* known, int count,
                char* shared, unsigned long shared_bytes);

}  // namespace cpu

DEVICE void __syncthreads() { cpu::barrier(); }

template <class T>
DEVICE T read(const T* at) {
    if (cpu::inside(at, sizeof(T))) return *at;
    cpu::fail("a read outside of every array");
    return T{};
}

template <class T>
DEVICE void write(T* at, T value) {
    if (!cpu::inside(at, sizeof(T))) return cpu::fail("a write outside of every array");
    if (!cpu::first_write(at)) cpu::fail("a second write to one address");
    *at = value;
}

DEVICE unsigned bits_of(float value) { unsigned bits; __builtin_memcpy(&bits, &value, 4); return bits; }
DEVICE float float_of_bits(unsigned bits) { float value; __builtin_memcpy(&value, &bits, 4); return value; }

DEVICE float float_of_f16(unsigned short bits) { _Float16 half; __builtin_memcpy(&half, &bits, 2); return half; }
DEVICE unsigned short f16_of_float(float value) {
    const _Float16 half = static_cast<_Float16>(value);
    unsigned short bits;
    __builtin_memcpy(&bits, &half, 2);
    return bits;
}

DEVICE unsigned tf32_of_float(float value) {
    const unsigned bits = bits_of(value);
    return (bits & 0x7f800000) == 0x7f800000 ? bits : (bits + 0x1000) & ~0x1fffu;
}

template <int BYTES>
DEVICE void copy_async(void* to, const void* from, bool real) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
    cpu::copy(to, from, BYTES, real);
}
DEVICE void copies_issued() { cpu::issued(); }
template <int IN_FLIGHT>
DEVICE void copies_landed() { cpu::landed(IN_FLIGHT); }

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
