// Transposed convolution as a sum of dense products, one for each output phase: no atomics, no product with an inserted
// zero, each output written once.
//
// On every axis tap a sends input p to output o = p*s + a*d - lo (arXiv 1603.07285). Write o = q*s + r. Only the taps
// with a*d - lo = r (mod s) reach phase r; with g = gcd(s, d) they are a0, a0 + s/g, a0 + 2*s/g, ..., and their shifts
// q - p grow by d/g. So each phase is a dense convolution of stride 1, and a matrix product
//
//     y[co, (n, q)] = sum over (tap, ci) of weight[co, (tap, ci)] * x[(tap, ci), (n, q)].
//
// Where s divides k and d is 1, all phases of R = (o + lo) mod s have the same shifts: `merged`, they become columns
// of one product, x is read once for all of them, and neighbouring outputs are written by neighbouring threads.
//
// One module holds one specialisation: KERNEL, DTYPE and the tile's sizes are macros, everything else is an argument.

#define F32 1
#define TF32 2
#define F16 3
#define BF16 4
#define F64 5
#define C64 6
#define C128 7
#define TILE 1
#define DIRECT 2
#define PACK 3
#define COMBINE 4

// ---- numbers: how one is stored, summed, and laid into shared memory -------------------------------------------------

template <class T>
struct alignas(2 * sizeof(T)) Complex { T re, im; };

#if DTYPE == F64
typedef double Element;
#elif DTYPE == C64
typedef Complex<float> Element;
#elif DTYPE == C128
typedef Complex<double> Element;
#elif DTYPE == F16 || DTYPE == BF16
typedef unsigned short Element;
#else
typedef float Element;
#endif

#if DTYPE == F16 || DTYPE == BF16
typedef float Sum;
#else
typedef Element Sum;
#endif

// A word is what one row of a tile holds for one column: a pair of halves for tensor cores, otherwise one number.
#define PAIRS (MMA && (DTYPE == F16 || DTYPE == BF16))
#if PAIRS
typedef unsigned Word;
constexpr int PAIR = 2;
#else
typedef Sum Word;
constexpr int PAIR = 1;
#endif

DEVICE Sum sum_of(Element value) {
#if DTYPE == F16
    return float_of_f16(value);
#elif DTYPE == BF16
    return float_of_bits(static_cast<unsigned>(value) << 16);
#else
    return value;
#endif
}

DEVICE Element element_of(Sum value) {
#if DTYPE == F16
    return f16_of_float(value);
#elif DTYPE == BF16  // to nearest, ties to even; written out, because sm_75 has no instruction for it
    const unsigned bits = bits_of(value);
    if (value != value) return static_cast<unsigned short>(bits >> 16 | 0x40);
    return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#else
    return value;
#endif
}

DEVICE Word word_of(const Element (&pair)[PAIR]) {
#if PAIRS
    return pair[0] | static_cast<unsigned>(pair[1]) << 16;
#else
    return sum_of(pair[0]);
#endif
}

// The number that a word holds, or one of its two.
DEVICE Sum part_of(Word word, int half) {
#if PAIRS
    return sum_of(static_cast<Element>(word >> 16 * half));
#else
    return word;
#endif
}

template <class T>
DEVICE bool is_nan(T value) { return value != value; }
template <class T>
DEVICE bool is_nan(Complex<T> value) { return is_nan(value.re) || is_nan(value.im); }

template <class T>
DEVICE void add_to(T& sum, T value) { sum += value; }
template <class T>
DEVICE void add_to(Complex<T>& sum, Complex<T> value) { sum.re += value.re, sum.im += value.im; }

template <class T>
DEVICE void add_product(T& sum, T a, T b) { sum += a * b; }
template <class T>
DEVICE void add_product(Complex<T>& sum, Complex<T> a, Complex<T> b) {
    sum.re += a.re * b.re, sum.im += a.re * b.im;
    sum.re -= a.im * b.im, sum.im += a.im * b.re;
}

template <class T>
DEVICE constexpr T smaller(T a, T b) { return a < b ? a : b; }
template <class T>
DEVICE constexpr T larger(T a, T b) { return a > b ? a : b; }

// ---- geometry: three axes, those that are not there have size, kernel and stride 1 -----------------------------------

// `crop_steps` and `crop_rest` are lo div s and lo mod s; `common` is gcd(s, d), `inverse` that of d/g modulo s/g; x, y
// and weight are distances in memory, in elements.
struct Axis {
    long long size, kernel, stride, dilation, crop_steps, crop_rest, out, common, inverse, x, y, weight;
};

struct Problem {
    const Element *x, *weight, *bias;
    const Word* packed;
    Element* y;
    Sum* partial;
    long long batch, groups, ins, outs;  // channels of one group
    long long x_image, x_channel, y_image, y_channel, weight_in, weight_out, bias_channel;
    long long merged, rows, width;  // the packed weight: words of input channels for each tap, columns with padding
    long long tiles_m, tiles_n, splits, total;  // total: elements of y
    long long near;  // merged: binary logarithm of how many columns in a row are neighbours in y
    long long chunk;  // direct: groups that one thread computes
    Axis axis[3];
};

// One output phase of one axis: tap t is a = first + t*tap_step, and sends q to input q - (shift + t*shift_step).
struct Phase {
    int residue, places, taps, first, tap_step, shift, shift_step;
};

DEVICE Phase phase_of(const Axis& axis, int r) {
    const unsigned s = axis.stride, d = axis.dilation, g = axis.common, rest = axis.crop_rest, step = s / g;
    const int out = axis.out, kernel = axis.kernel;
    Phase phase = {r, r < out ? static_cast<int>((out - r - 1) / s) + 1 : 0, 0, 0, static_cast<int>(step), 0,
                   static_cast<int>(d / g)};
    unsigned residue = r + rest;
    if (residue >= s) residue -= s;
    if (residue % g) return phase;
    const int first = residue / g * static_cast<unsigned>(axis.inverse) % step;
    if (first >= kernel) return phase;
    phase.first = first;
    phase.taps = (kernel - 1 - first) / step + 1;
    // Two steps are added and taken away again, so that the dividend is positive.
    phase.shift = static_cast<int>((first * d + 2 * s - rest - r) / s) - 2 - static_cast<int>(axis.crop_steps);
    return phase;
}

// All phases as one: tap t of residue R is a = t*s + R.
DEVICE Phase merged_phase_of(const Axis& axis) {
    const int s = axis.stride, steps = axis.crop_steps;
    const int places = static_cast<int>((axis.out - 1 + axis.crop_rest) / s) + 1;
    return {-static_cast<int>(axis.crop_rest), places, static_cast<int>(axis.kernel) / s, 0, 1, -steps, 1};
}

// Quotient to `value`, remainder returned; a 64-bit division costs several times a 32-bit one.
DEVICE int digit(unsigned long long& value, unsigned base) {
    if (value >> 32) {
        const int rest = static_cast<int>(value % base);
        value /= base;
        return rest;
    }
    const unsigned low = static_cast<unsigned>(value);
    value = low / base;
    return static_cast<int>(low % base);
}

#if KERNEL == TILE
// ---- the matrix product, a tile of BM columns of the weight and BN positions for each block --------------------------

constexpr int DEPTH = 8;  // rows of a stage: one step of the tensor cores, whose words are pairs of halves or one tf32
#if MMA
constexpr int THREADS = 32 * (BM / TM) * (BN / TN);  // TM and TN are those of a warp
#else
constexpr int THREADS = (BM / TM) * (BN / TN);
#endif
// Several blocks on a multiprocessor hide each other's barriers: two of 256 threads have 128 registers each, three of
// 128 threads 168. sm_75 has shared memory for one.
#if __CUDA_ARCH__ >= 800
constexpr int RESIDENT = THREADS == 256 ? 2 : 3;
#else
constexpr int RESIDENT = 1;
#endif
// Rows start 8 words of 4 bytes further each: lanes that read 4 rows of 8 columns meet 32 different banks.
constexpr int PAD = 8;
constexpr int VECTOR = 16 / sizeof(Word);
// Neighbouring threads load neighbouring positions, or BY_CHANNEL: whichever lie side by side in x. Single halves pass
// through registers, because the smallest copy of the hardware has 4 bytes; BY_CHANNEL, they come as aligned pairs.
constexpr bool STAGED = sizeof(Element) == 2 && !(BY_CHANNEL && PAIRS);
constexpr int LOADS = DEPTH * BN / THREADS;
constexpr int PLACES = BY_CHANNEL ? LOADS : (BN > THREADS ? BN / THREADS : 1);
struct Stage { Word weights[DEPTH][BM + PAD], inputs[DEPTH][BN + PAD]; };

// Sums pass through shared memory a slab at a time, so that what finishes them is compiled once, and neighbouring
// threads write neighbouring outputs.
#if MMA
constexpr int SLABS = TM / 16, SLAB_ROWS = BM / TM * 16;
#else
constexpr int VM = VECTOR < TM ? VECTOR : TM, VN = VECTOR < TN ? VECTOR : TN;
constexpr int SLABS = TM / VM, SLAB_ROWS = BM / TM * VM;
#endif
struct Slab { Sum at[SLAB_ROWS][BN + PAD]; };

constexpr long long OUTSIDE = -0x7fffffffffffffffLL - 1;
static_assert(DEPTH * BN % THREADS == 0 && (BN > THREADS ? BN % THREADS : THREADS % BN) == 0, "x does not divide");
static_assert(BM % TM == 0 && BN % TN == 0 && THREADS % DEPTH == 0, "the tile does not divide");

// A position's image and coordinates in its phase; in the end what it, or a column, adds to the place of an output.
struct Place {
    long long at;
    int o[3], channel;
    bool real;
};

DEVICE Place place_of(const Problem& problem, const Phase* phase, unsigned long long position) {
    Place place = {};
    if (phase[0].places <= 0 || phase[1].places <= 0 || phase[2].places <= 0) return place;
    for (int j = 2; j >= 0; --j) place.o[j] = digit(position, phase[j].places);
    place.at = static_cast<long long>(position);
    place.real = place.at < problem.batch;
    return place;
}

// Offset in x of what tap t reaches from a place, or OUTSIDE.
DEVICE long long reached(const Problem& problem, const Phase* phase, const Place& place, const int* t) {
    if (!place.real) return OUTSIDE;
    long long offset = place.at * problem.x_image;
    for (int j = 0; j < 3; ++j) {
        const int p = place.o[j] - phase[j].shift - t[j] * phase[j].shift_step;
        if (p < 0 || p >= problem.axis[j].size) return OUTSIDE;
        offset += p * problem.axis[j].x;
    }
    return offset;
}

// Row of the packed weight at which tap t begins.
DEVICE long long packed_row(const Problem& problem, const Phase* phase, int group, const int* t) {
    long long tap = 0;
    for (int j = 0; j < 3; ++j) {
        const long long extent = problem.merged ? problem.axis[j].kernel / problem.axis[j].stride : problem.axis[j].kernel;
        tap = tap * extent + phase[j].first + t[j] * phase[j].tap_step;
        if (j == 0) tap += group * extent;
    }
    return tap * problem.rows;
}

DEVICE void tap_of(const Phase* phase, int tap, int* t) {
    t[2] = tap % phase[2].taps, tap /= phase[2].taps;
    t[1] = tap % phase[1].taps, t[0] = tap / phase[1].taps;
}

// x outside of its image counts as zero, and zero times an infinite weight is NaN. A tile may hold such a sum where a
// NaN was found: it is taken again over the taps inside alone.
static __device__ __noinline__ Sum inside_alone(const Problem& problem, const Phase* phase, unsigned long long position,
                                                int group, int column, int begin, int end, Sum found) {
    const Place place = place_of(problem, phase, position);
    const int steps = static_cast<int>((problem.rows + DEPTH - 1) / DEPTH);
    bool outside = false;
    Sum sum = {};
    for (int chunk = begin; chunk < end; ++chunk) {
        int t[3];
        tap_of(phase, chunk / steps, t);
        const long long offset = reached(problem, phase, place, t);
        outside |= offset == OUTSIDE;
        if (offset == OUTSIDE) continue;
        const long long row = packed_row(problem, phase, group, t);
        for (int ci = chunk % steps * DEPTH * PAIR; ci < (chunk % steps + 1) * DEPTH * PAIR && ci < problem.ins; ++ci) {
            const Word word = read(problem.packed + (row + ci / PAIR) * problem.width + column);
            const long long channel = group * problem.ins + ci;
            add_product(sum, part_of(word, ci % PAIR), sum_of(read(problem.x + offset + channel * problem.x_channel)));
        }
    }
    return outside ? sum : found;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) tile(const __grid_constant__ Problem problem) {
    // The stages while the sum is taken, then a slab of finished sums.
    __shared__ __align__(16) char memory[larger(STAGES * sizeof(Stage), sizeof(Slab))];
    __shared__ Phase phase[3];
    __shared__ Place by_column[BM], by_position[BN];
    Stage* const stages = reinterpret_cast<Stage*>(memory);
    Slab& slab = *reinterpret_cast<Slab*>(memory);
    const int thread = threadIdx.x;

    // The phase runs fastest over the blocks: those that write into one sector of y run at the same time.
    unsigned index = blockIdx.x;
    int residue[3];
    for (int j = 2; j >= 0; --j) {
        const unsigned phases = problem.merged ? 1 : static_cast<unsigned>(problem.axis[j].stride);
        residue[j] = index % phases;
        index /= phases;
    }
    const int first_column = static_cast<int>(index % problem.tiles_m) * BM;
    index /= static_cast<unsigned>(problem.tiles_m);
    const unsigned long long first_position = static_cast<unsigned long long>(index % problem.tiles_n) * BN;
    index /= static_cast<unsigned>(problem.tiles_n);
    const int group = static_cast<int>(index % problem.groups), split = static_cast<int>(index / problem.groups);
    for (int j = 0; j < 3; ++j)
        if (thread == j)
            phase[j] = problem.merged ? merged_phase_of(problem.axis[j]) : phase_of(problem.axis[j], residue[j]);
    __syncthreads();
    for (int n = thread; n < BN; n += THREADS) by_position[n] = place_of(problem, phase, first_position + n);
    __syncthreads();

    // Chunks of DEPTH words: the input channels of one tap after those of another.
    const int steps = static_cast<int>((problem.rows + DEPTH - 1) / DEPTH);
    const long long chunks = static_cast<long long>(phase[0].taps) * phase[1].taps * phase[2].taps * steps;
    const int begin = static_cast<int>(chunks * split / problem.splits);
    const int end = static_cast<int>(chunks * (split + 1) / problem.splits);

    // What this thread loads: some positions, whose offsets hold as long as the tap does.
    long long offset[PLACES];
    long long weight_row = 0;
    int word = 0, t[3] = {0, 0, 0};
    const int load_row = BY_CHANNEL ? thread % DEPTH : thread / BN;
    const int load_column = BY_CHANNEL ? thread / DEPTH : thread % BN;
    constexpr int NEXT_ROW = BY_CHANNEL ? 0 : (BN > THREADS ? 1 : THREADS / BN);
    constexpr int NEXT_COLUMN = BY_CHANNEL ? THREADS / DEPTH : THREADS;
    auto take_tap = [&] {
        weight_row = packed_row(problem, phase, group, t);
        for (int k = 0; k < PLACES; ++k)
            offset[k] = reached(problem, phase, by_position[load_column + k * NEXT_COLUMN], t);
    };
    if (begin < end) {
        tap_of(phase, begin / steps, t);
        word = begin % steps * DEPTH;
        take_tap();
    }

    Element waiting[STAGED ? LOADS : 1][PAIR];
    auto fetch = [&](int stage) {
        constexpr int COPIES = DEPTH * BM / VECTOR;
        for (int k = 0; k < (COPIES + THREADS - 1) / THREADS; ++k) {
            const int copy = thread + k * THREADS, row = copy / (BM / VECTOR), column = copy % (BM / VECTOR) * VECTOR;
            if (copy < COPIES) {
                const bool real = word + row < problem.rows && first_column + column < problem.width;
                const Word* from = problem.packed + (weight_row + word + row) * problem.width + first_column + column;
                copy_async<16>(&stages[stage].weights[row][column], real ? from : problem.packed, real);
            }
        }
#pragma unroll
        for (int k = 0; k < LOADS; ++k) {
            const int row = load_row + k / PLACES * NEXT_ROW, column = load_column + k % PLACES * NEXT_COLUMN;
            const long long ci = static_cast<long long>(word + row) * PAIR;
            const Element* from = problem.x + offset[k % PLACES] + (group * problem.ins + ci) * problem.x_channel;
            const bool real = offset[k % PLACES] != OUTSIDE && ci < problem.ins;
            if constexpr (STAGED) {
                waiting[k][0] = real ? read(from) : Element{};
                if constexpr (PAIR == 2)
                    waiting[k][1] = real && ci + 1 < problem.ins ? read(from + problem.x_channel) : Element{};
            } else {
                copy_async<sizeof(Word)>(&stages[stage].inputs[row][column], real ? from : problem.x, real);
            }
        }
        word += DEPTH;
        if (word >= problem.rows) {
            word = 0;
            for (int j = 2; j >= 0; --j) {
                if (++t[j] < phase[j].taps) break;
                t[j] = 0;
            }
            take_tap();
        }
    };
    auto deposit = [&](int stage) {
#pragma unroll
        for (int k = 0; k < LOADS; ++k) {
            const int row = load_row + k / PLACES * NEXT_ROW, column = load_column + k % PLACES * NEXT_COLUMN;
            stages[stage].inputs[row][column] = word_of(waiting[k]);
        }
    };

#if MMA
    constexpr int MI = TM / 16, NI = TN / 8;
    const int lane = thread % 32, warp = thread / 32, row_of_lane = lane % 4, column_of_lane = lane / 4;
    const int warp_m = warp % (BM / TM) * TM, warp_n = warp / (BM / TM) * TN;
    float sums[MI][NI][4] = {};
    auto multiply = [&](int stage) {
        unsigned b[NI][2];
#pragma unroll
        for (int n = 0; n < NI; ++n)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const Word value = stages[stage].inputs[row_of_lane + 4 * half][warp_n + 8 * n + column_of_lane];
#if DTYPE == TF32
                b[n][half] = tf32_of_float(value);
#else
                b[n][half] = value;
#endif
            }
#pragma unroll
        for (int m = 0; m < MI; ++m) {
            unsigned a[4];
#pragma unroll
            for (int part = 0; part < 4; ++part) {
                const int column = warp_m + 16 * m + 8 * (part % 2) + column_of_lane;
                const Word value = stages[stage].weights[row_of_lane + 4 * (part / 2)][column];
#if DTYPE == TF32
                a[part] = tf32_of_float(value);
#else
                a[part] = value;
#endif
            }
#pragma unroll
            for (int n = 0; n < NI; ++n) {
#if DTYPE == TF32
                mma_tf32(sums[m][n], a, b[n]);
#elif DTYPE == F16
                mma_f16(sums[m][n], a, b[n]);
#else
                mma_bf16(sums[m][n], a, b[n]);
#endif
            }
        }
    };
#else
    // A thread's rows and columns come VECTOR at a time, so that a load has 16 bytes and a warp's loads are contiguous.
    const int thread_m = thread / (BN / TN), thread_n = thread % (BN / TN);
    struct alignas(VM * sizeof(Word)) VectorM { Word at[VM]; };
    struct alignas(VN * sizeof(Word)) VectorN { Word at[VN]; };
    Sum sums[TM][TN] = {};
    auto multiply = [&](int stage) {
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            VectorM a[TM / VM];
            VectorN b[TN / VN];
#pragma unroll
            for (int m = 0; m < TM / VM; ++m)
                a[m] = *reinterpret_cast<const VectorM*>(&stages[stage].weights[k][m * (BM / TM) * VM + thread_m * VM]);
#pragma unroll
            for (int n = 0; n < TN / VN; ++n)
                b[n] = *reinterpret_cast<const VectorN*>(&stages[stage].inputs[k][n * (BN / TN) * VN + thread_n * VN]);
#pragma unroll
            for (int m = 0; m < TM; ++m)
#pragma unroll
                for (int n = 0; n < TN; ++n) add_product(sums[m][n], a[m / VM].at[m % VM], b[n / VN].at[n % VN]);
        }
    };
#endif

    // STAGES - 1 chunks are on their way while one is multiplied. One barrier suffices: the stage that is filled after
    // it is the one that all threads have left before it.
#pragma unroll 1
    for (int ahead = 0; ahead < STAGES - 1; ++ahead) {
        if (begin + ahead < end) {
            fetch(ahead);
            if constexpr (STAGED) deposit(ahead);
        }
        copies_issued();
    }
    int now = 0, next = STAGES - 1;
#pragma unroll 1
    for (int chunk = begin; chunk < end; ++chunk) {
        copies_landed<STAGES - 2>();
        __syncthreads();
        const bool more = chunk + STAGES - 1 < end;
        if (more) fetch(next);
        copies_issued();
        multiply(now);
        if constexpr (STAGED)
            if (more) deposit(next);
        now = now + 1 == STAGES ? 0 : now + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    copies_landed<0>();

    // No thread looks for inputs any more: a barrier follows the last fetch.
    for (int m = thread; m < BM; m += THREADS) {
        unsigned long long rest = first_column + m;
        Place& column = by_column[m];
        column.at = 0;
        for (int j = 2; j >= 0; --j) {
            column.o[j] = digit(rest, problem.merged ? static_cast<unsigned>(problem.axis[j].stride) : 1);
            column.at += column.o[j] * problem.axis[j].y;
        }
        column.real = rest < static_cast<unsigned long long>(problem.outs);
        column.channel = group * static_cast<int>(problem.outs) + static_cast<int>(rest);
        column.at += column.channel * problem.y_channel;
    }
    for (int n = thread; n < BN; n += THREADS) {
        Place& position = by_position[n];
        position.at *= problem.y_image;
        for (int j = 0; j < 3; ++j) {
            position.o[j] = position.o[j] * static_cast<int>(problem.axis[j].stride) + phase[j].residue;
            position.at += position.o[j] * problem.axis[j].y;
        }
    }
    auto finish = [&](int m, int n, Sum sum) {
        const Place &column = by_column[m], &position = by_position[n];
        if (!column.real || !position.real) return;
        for (int j = 0; j < 3; ++j) {
            const int o = column.o[j] + position.o[j];
            if (o < 0 || o >= problem.axis[j].out) return;
        }
        if (is_nan(sum)) sum = inside_alone(problem, phase, first_position + n, group, first_column + m, begin, end, sum);
        const long long at = column.at + position.at;
        if (problem.partial) {
            write(problem.partial + split * problem.total + at, sum);
        } else {
            if (problem.bias) add_to(sum, sum_of(read(problem.bias + column.channel * problem.bias_channel)));
            write(problem.y + at, element_of(sum));
        }
    };
#pragma unroll
    for (int part = 0; part < SLABS; ++part) {
        __syncthreads();
#if MMA
#pragma unroll
        for (int n = 0; n < NI; ++n)
#pragma unroll
            for (int k = 0; k < 4; ++k)
                slab.at[warp_m / TM * 16 + k / 2 * 8 + column_of_lane][warp_n + 8 * n + 2 * row_of_lane + k % 2] =
                    sums[part][n][k];
#else
#pragma unroll
        for (int m = 0; m < VM; ++m)
#pragma unroll
            for (int n = 0; n < TN; ++n)
                slab.at[thread_m * VM + m][n / VN * (BN / TN) * VN + thread_n * VN + n % VN] = sums[part * VM + m][n];
#endif
        __syncthreads();
#pragma unroll 1
        for (int k = thread; k < SLAB_ROWS * BN; k += THREADS) {
            // Where the phases are merged, the residues of the last axis are neighbours in y, and so are the threads.
            const int near = smaller(static_cast<int>(problem.near), SLAB_ROWS % 4 == 0 ? 2 : SLAB_ROWS % 2 == 0 ? 1 : 0);
            const int rest = k >> near;
            const int row = (rest / BN << near) + (k & ((1 << near) - 1)), n = rest % BN;
#if MMA
            finish(row / 16 * TM + part * 16 + row % 16, n, slab.at[row][n]);
#else
            finish(part * SLAB_ROWS + row, n, slab.at[row][n]);
#endif
        }
    }
}
#endif

#if KERNEL == DIRECT
// ---- few channels in a group: one thread sums one position of OUTS channels, and only over the taps inside -----------

extern "C" __global__ void __launch_bounds__(128, 4) direct(const __grid_constant__ Problem problem) {
    // The position runs fastest over the blocks, then the channels.
    unsigned index = blockIdx.x;
    unsigned long long position = static_cast<unsigned long long>(index % problem.tiles_n) * 128 + threadIdx.x;
    index /= static_cast<unsigned>(problem.tiles_n);
    const int first_out = static_cast<int>(index % problem.tiles_m) * OUTS;
    const long long first_group = static_cast<long long>(index / static_cast<unsigned>(problem.tiles_m)) * problem.chunk;

    int from[3], to[3];
    long long x_step[3], weight_step[3], x_at = 0, weight_at = 0, y_at = 0;
    for (int j = 2; j >= 0; --j) {
        const Axis& axis = problem.axis[j];
        const int o = digit(position, static_cast<unsigned>(axis.out)), s = axis.stride, size = axis.size;
        const Phase phase = phase_of(axis, o % s);
        const int last = o / s - phase.shift;  // the input that tap 0 reaches
        to[j] = last < 0 ? 0 : smaller(phase.taps, last / phase.shift_step + 1);
        from[j] = last < size ? 0 : (last - size) / phase.shift_step + 1;
        x_step[j] = -phase.shift_step * axis.x, weight_step[j] = phase.tap_step * axis.weight;
        x_at += last * axis.x + from[j] * x_step[j];
        weight_at += phase.first * axis.weight + from[j] * weight_step[j];
        y_at += o * axis.y;
    }
    if (position >= problem.batch) return;
    x_at += static_cast<long long>(position) * problem.x_image + first_group * problem.ins * problem.x_channel;
    y_at += static_cast<long long>(position) * problem.y_image;
    weight_at += first_group * problem.ins * problem.weight_in + first_out * problem.weight_out;

    const long long end = smaller(first_group + problem.chunk, problem.groups);
#pragma unroll 1
    for (long long group = first_group; group < end; ++group) {
        Sum sums[OUTS] = {};
        const Element *x0 = problem.x + x_at, *weight0 = problem.weight + weight_at;
#pragma unroll 1
        for (int t0 = from[0]; t0 < to[0]; ++t0, x0 += x_step[0], weight0 += weight_step[0]) {
            const Element *x1 = x0, *weight1 = weight0;
#pragma unroll 1
            for (int t1 = from[1]; t1 < to[1]; ++t1, x1 += x_step[1], weight1 += weight_step[1]) {
                const Element *x2 = x1, *weight2 = weight1;
#pragma unroll 2
                for (int t2 = from[2]; t2 < to[2]; ++t2, x2 += x_step[2], weight2 += weight_step[2]) {
                    const Element *xc = x2, *weightc = weight2;
#pragma unroll 1
                    for (int ci = 0; ci < problem.ins; ++ci, xc += problem.x_channel, weightc += problem.weight_in) {
                        const Sum value = sum_of(read(xc));
#pragma unroll
                        for (int k = 0; k < OUTS; ++k)
                            if (first_out + k < problem.outs)
                                add_product(sums[k], sum_of(read(weightc + k * problem.weight_out)), value);
                    }
                }
            }
        }
#pragma unroll
        for (int k = 0; k < OUTS; ++k) {
            if (first_out + k >= problem.outs) break;
            const long long channel = group * problem.outs + first_out + k;
            if (problem.bias) add_to(sums[k], sum_of(read(problem.bias + channel * problem.bias_channel)));
            write(problem.y + y_at + channel * problem.y_channel, element_of(sums[k]));
        }
        x_at += problem.ins * problem.x_channel;
        weight_at += problem.ins * problem.weight_in;
    }
}
#endif

#if KERNEL == PACK
// ---- the weight as the tile reads it: row (group, tap, word of input channels), column (output channel, residue) -----

extern "C" __global__ void __launch_bounds__(256) pack(const __grid_constant__ Problem problem) {
    unsigned long long index = static_cast<unsigned long long>(blockIdx.x) * 256 + threadIdx.x;
    const unsigned long long at = index;
    if (index >= static_cast<unsigned long long>(problem.total)) return;
    unsigned long long column = digit(index, static_cast<unsigned>(problem.width));
    const int row = digit(index, static_cast<unsigned>(problem.rows));
    long long from = 0;
    for (int j = 2; j >= 0; --j) {
        const Axis& axis = problem.axis[j];
        const unsigned spread = problem.merged ? static_cast<unsigned>(axis.stride) : 1;
        const int residue = digit(column, spread);
        from += (static_cast<long long>(digit(index, static_cast<unsigned>(axis.kernel) / spread)) * spread + residue) *
                axis.weight;
    }
    const long long group = static_cast<long long>(index), out = static_cast<long long>(column);
    from += group * problem.ins * problem.weight_in + out * problem.weight_out;
    Element pair[PAIR] = {};
    for (int half = 0; half < PAIR; ++half) {
        const long long ci = static_cast<long long>(row) * PAIR + half;
        if (ci < problem.ins && out < problem.outs) pair[half] = read(problem.weight + from + ci * problem.weight_in);
    }
    write(const_cast<Word*>(problem.packed) + at, word_of(pair));
}
#endif

#if KERNEL == COMBINE
// ---- the splits of a sum, added in their order: the same result in every run -----------------------------------------

extern "C" __global__ void __launch_bounds__(256) combine(const __grid_constant__ Problem problem) {
    const long long at = static_cast<long long>(blockIdx.x) * 256 + threadIdx.x;
    if (at >= problem.total) return;
    Sum sum = {};
    for (long long split = 0; split < problem.splits; ++split)
        add_to(sum, read(problem.partial + split * problem.total + at));
    const long long channel = at / problem.y_channel % (problem.groups * problem.outs);
    if (problem.bias) add_to(sum, sum_of(read(problem.bias + channel * problem.bias_channel)));
    write(problem.y + at, element_of(sum));
}
#endif
