// What the operators share: tensors as the kernels want them, and images shared out over torch's threads.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <new>
#include <tuple>
#include <vector>

#include "kernels.h"
#include "lanes.h"

namespace lst {

using at::Tensor;
using at::TensorList;
using Pair = std::tuple<Tensor, Tensor>;
using Triple = std::tuple<Tensor, Tensor, Tensor>;

// Calls call(lanes as a type) for the vectors that weights were packed for.
template <class Call>
void with_lanes(int64_t lanes, Call call) {
    TORCH_CHECK(call_with_lanes(lanes, call), "no kernel has vectors of ", lanes, " floats");
}

// Uninitialised memory of one thread, at an address that suits every vector.
class Scratch {
   public:
    explicit Scratch(int64_t size) : memory(new (alignment) float[size]) {}
    ~Scratch() { operator delete[](memory, alignment); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    float* const memory;

   private:
    static constexpr std::align_val_t alignment{64};
};

// Calls call(work, first image, number of the part) for all images in parts, on torch's threads at the same time.
template <class Call>
void over_parts(int64_t images, int64_t part, int64_t scratch_size, Call call) {
    at::parallel_for(0, (images + part - 1) / part, 1, [&](int64_t begin, int64_t end) {
        Scratch scratch(scratch_size);
        for (int64_t i = begin; i < end; i++)
            call(Work{std::min(part, images - i * part), scratch.memory}, i * part, i);
    });
}

// Calls call(work, first image) for all images, on torch's threads at the same time.
template <class Call>
void over_images(int64_t images, int64_t scratch_size, Call call) {
    over_parts(images, 1, scratch_size, [&](Work work, int64_t n, int64_t) { call(work, n); });
}

inline void check_images(const Tensor& x) {
    TORCH_CHECK(x.scalar_type() == at::kFloat && x.is_contiguous(at::MemoryFormat::ChannelsLast),
                "images must be float32 in channels last");
}

// The place of one image, or of its part, in a tensor that has one for each.
template <class T = float>
const T* read(const Tensor& x, int64_t image) {
    return x.const_data_ptr<T>() + image * (x.numel() / x.size(0));
}
template <class T = float>
T* write(const Tensor& x, int64_t image) {
    return x.mutable_data_ptr<T>() + image * (x.numel() / x.size(0));
}

inline const float* values(const Tensor& x) { return x.const_data_ptr<float>(); }
inline Affine as_affine(TensorList pair) {
    return pair.empty() ? Affine{nullptr, nullptr} : Affine{values(pair[0]), values(pair[1])};
}
inline Slopes as_slopes(const Tensor& slopes) {
    const float* a = values(slopes);
    return {a, a + slopes.size(1), a + 2 * slopes.size(1)};
}

inline Size size_of(const Tensor& x, int64_t stride) {
    check_images(x);
    return {(int)x.size(2), (int)x.size(3), (int)x.size(1), (int)stride};
}
inline int pixels_of(const Tensor& x) {
    check_images(x);
    return (int)(x.size(2) * x.size(3));
}

inline Tensor new_images(const Tensor& like, int64_t channels, int64_t height, int64_t width) {
    return like.new_empty({like.size(0), height, width, channels}).permute({0, 3, 1, 2});
}
inline Tensor new_images(const Tensor& like) { return new_images(like, like.size(1), like.size(2), like.size(3)); }

// Adds up the parts (parts, ...) of a tensor, in double.
template <class T>
Tensor total(const Tensor& parts) {
    int64_t values = parts.numel() / parts.size(0);
    Tensor result = parts.new_empty(parts.sizes().slice(1));
    std::vector<double> sums(values);
    for (int64_t part = 0; part < parts.size(0); part++) {
        const T* from = read<T>(parts, part);
        for (int64_t i = 0; i < values; i++) sums[i] += from[i];
    }
    std::copy(sums.begin(), sums.end(), result.mutable_data_ptr<T>());
    return result;
}

}  // namespace lst
