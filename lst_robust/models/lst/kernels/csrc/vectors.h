// Vectors of W floats by the compiler's own vector type, without intrinsics. Everything here is inlined.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#ifdef __x86_64__
#include <immintrin.h>
#endif

// Everything that a function calls is inlined into it: sums of small loops stay in registers.
#define LST_KERNEL __attribute__((flatten))

// Each source is compiled once for every width of vectors, with the flags of processors that have them. What headers
// define is therefore each object's own, or always inlined: the linker must not take one processor's code for another's.
namespace lst {
namespace {

template <int W>
struct Vector {
    typedef float type __attribute__((vector_size(4 * W)));
};
template <int W>
using vec = typename Vector<W>::type;

// How many registers hold a vector of W floats: AVX-512 has 32, AVX2 and SSE 16, NEON 32.
#if defined(__x86_64__) || defined(__i386__)
template <int W>
constexpr int REGISTERS = W == 16 ? 32 : 16;
#else
template <int W>
constexpr int REGISTERS = 32;
#endif

template <int W>
inline vec<W> load(const float* p) {
    vec<W> v;
    std::memcpy(&v, p, sizeof v);  // at any address
    return v;
}
template <class V>
inline void store(float* p, V v) {
    std::memcpy(p, &v, sizeof v);
}

// Loads once what several multiplications need: some compilers would rather read it from memory for each of them, and
// wait for that.
template <int W>
inline vec<W> load_once(const float* p) {
    vec<W> v = load<W>(p);
#if defined(__x86_64__) && defined(__AVX512F__)
    asm("" : "+v"(v));
#elif defined(__x86_64__)
    asm("" : "+x"(v));
#elif defined(__aarch64__)
    asm("" : "+w"(v));
#endif
    return v;
}

// Hides from the compiler where a pointer comes from. It would else keep many sums of pointers and distances for later,
// more than there are registers, where one addition makes each anew.
template <class T>
inline T* anew(T* p) {
    asm("" : "+r"(p));
    return p;
}

// The larger and the smaller of two, the second where one is NaN. Compilers do not always find the instruction.
template <class V>
inline V larger(V a, V b) {
    return a > b ? a : b;
}
template <class V>
inline V smaller(V a, V b) {
    return a < b ? a : b;
}
#ifdef __x86_64__
inline vec<4> larger(vec<4> a, vec<4> b) { return _mm_max_ps(a, b); }
inline vec<4> smaller(vec<4> a, vec<4> b) { return _mm_min_ps(a, b); }
#endif
#ifdef __AVX2__
inline vec<8> larger(vec<8> a, vec<8> b) { return _mm256_max_ps(a, b); }
inline vec<8> smaller(vec<8> a, vec<8> b) { return _mm256_min_ps(a, b); }
#endif
#ifdef __AVX512F__
inline vec<16> larger(vec<16> a, vec<16> b) { return _mm512_max_ps(a, b); }
inline vec<16> smaller(vec<16> a, vec<16> b) { return _mm512_min_ps(a, b); }
#endif

// Keeps a NaN.
template <class V>
inline V relu(V v) {
    return larger(V{}, v);
}

// Soft thresholding: sign(v) max(|v| - tau, 0).
template <class V>
inline V shrink(V v, float tau) {
    return v - smaller(V{} + tau, larger(V{} - tau, v));
}

// Whether a vector at this place is the first of its line of the caches, so that the line is asked for once. `at` counts
// floats from the start of a line, or from a pixel's first channel: where that lies within a line, some are asked for
// twice.
template <int W>
inline bool begins_line(int at) {
    return W >= 16 || at % 16 == 0;
}

// Ask for memory that is needed 4 KB later. Wide activations come from beyond the caches, and the processor's own
// prefetching stops at every page.
inline void prefetch_to_read(const float* p) { __builtin_prefetch(p + 1024, 0); }
inline void prefetch_to_write(const float* p) { __builtin_prefetch(p + 1024, 1); }

// Calls call(group size, first) for all of a range: in groups of P, and what is left in groups of P/2, P/4 ... 1 (rounded
// up). Where P is 3, 6 or 12 there are also groups of P - 1, because one alone takes nearly as long as a large group: 16
// are 6 + 5 + 5, not 6 + 6 + 3 + 1.
template <int P, class Call>
inline void in_groups(int first, int end, Call call) {
    constexpr bool POWER_OF_TWO = (P & (P - 1)) == 0;
    for (; first + P <= end && (POWER_OF_TWO || end - first != 2 * (P - 1)); first += P)
        call(std::integral_constant<int, P>(), first);
    if constexpr (!POWER_OF_TWO)
        for (; first + P - 1 <= end; first += P - 1) call(std::integral_constant<int, P - 1>(), first);
    if constexpr (P > 1) in_groups<(P + 1) / 2>(first, end, call);
}

}  // namespace
}  // namespace lst
