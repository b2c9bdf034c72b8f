// Which vectors the kernels work with. They are compiled for several widths, and what the processor has is seen only when
// they run.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <type_traits>

namespace lst {

#ifdef __x86_64__
// Floats in the processor's widest vectors: AVX-512, AVX2 with FMA, or SSE.
inline int processor_lanes() {
    static const int lanes = [] {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return 16;
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 8 : 4;
    }();
    return lanes;
}
#else
inline int processor_lanes() { return 4; }
#endif

// The widest that may be used: LST_ROBUST_LST_VECTORS says at most how many.
inline int64_t widest_lanes() {
    const char* most = std::getenv("LST_ROBUST_LST_VECTORS");
    const int wanted = most ? std::atoi(most) : 16, lanes = processor_lanes();
    return wanted == 4 || wanted == 8 ? (wanted < lanes ? wanted : lanes) : lanes;
}

// The widest that so many channels, a multiple of 4, are a multiple of.
inline int64_t fitting_lanes(int64_t channels) {
    int64_t lanes = widest_lanes();
    while (channels % lanes) lanes /= 2;
    return lanes;
}

// Calls call(lanes as a type). Returns false if the processor has no such vectors.
template <class Call>
bool call_with_lanes(int64_t lanes, Call call) {
#ifdef __x86_64__
    if (lanes > processor_lanes()) return false;
    if (lanes == 16) return call(std::integral_constant<int, 16>()), true;
    if (lanes == 8) return call(std::integral_constant<int, 8>()), true;
#endif
    return lanes == 4 && (call(std::integral_constant<int, 4>()), true);
}

}  // namespace lst
