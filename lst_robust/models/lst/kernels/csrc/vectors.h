// Vectors of W floats by the compiler's own vector type, without intrinsics. Everything here is inlined.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace lst {

template <int W>
struct Vector {
    typedef float type __attribute__((vector_size(4 * W)));
};
template <int W>
using vec = typename Vector<W>::type;

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

// Keeps a NaN.
template <class V>
inline V relu(V v) {
    return V{} > v ? V{} : v;
}

// Soft thresholding: sign(v) max(|v| - tau, 0).
template <class V>
inline V shrink(V v, float tau) {
    V high = V{} + tau, low = V{} - tau;
    V inner = low > v ? low : v;
    return v - (inner > high ? high : inner);
}

// Ask for memory that is needed 4 KB later. Wide activations come from beyond the caches, and the processor's own
// prefetching stops at every page.
inline void prefetch_to_read(const float* p) { __builtin_prefetch(p + 1024, 0); }
inline void prefetch_to_write(const float* p) { __builtin_prefetch(p + 1024, 1); }

// Calls call(group size, first) for all of a range: in groups of P, and in groups of P/2, P/4 ... 1 for what is left.
template <int P, class Call>
inline void in_groups(int first, int end, Call call) {
    for (; first + P <= end; first += P) call(std::integral_constant<int, P>(), first);
    if constexpr (P > 1) in_groups<P / 2>(first, end, call);
}

}  // namespace lst
