// What the operators share: tensors as the kernels want them, and images shared out over torch's threads.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <limits>
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

// Kernels count the values of an image in 32 bits, those of inference the values of a row.
inline void check_size(int64_t height, int64_t width, int64_t channels) {
    const int64_t most = std::numeric_limits<int32_t>::max();
    TORCH_CHECK(height <= most && width <= most / height && channels <= most / (height * width), "images of ", height,
                " x ", width, " pixels and ", channels, " channels are too large");
}

inline void check_format(const Tensor& x) {
    TORCH_CHECK(x.scalar_type() == at::kFloat && x.is_contiguous(at::MemoryFormat::ChannelsLast),
                "images must be float32 in channels last");
}

inline void check_images(const Tensor& x) {
    check_format(x);
    if (x.numel() > 0) check_size(x.size(2), x.size(3), x.size(1));
}

// Images that stand beside those of `like`: as many of them, of this size.
inline void check_images(const Tensor& x, const Tensor& like, int64_t channels, int64_t height, int64_t width) {
    check_images(x);
    TORCH_CHECK(x.size(0) == like.size(0) && x.size(1) == channels && x.size(2) == height && x.size(3) == width,
                "images of sizes ", x.sizes(), " do not fit those of ", like.sizes());
}
inline void check_images(const Tensor& x, const Tensor& like) {
    check_images(x, like, like.size(1), like.size(2), like.size(3));
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

// The values of a tensor that is no image. There must be `count`, one behind the other.
template <class T = float>
const T* values(const Tensor& x, int64_t count) {
    TORCH_CHECK(x.is_contiguous() && x.numel() == count, "a tensor of sizes ", x.sizes(), " and strides ", x.strides(),
                " is not ", count, " values one behind the other");
    return x.const_data_ptr<T>();
}
inline Affine as_affine(TensorList pair, int64_t channels) {
    if (pair.empty()) return {nullptr, nullptr};
    TORCH_CHECK(pair.size() == 2, "an affine map has a scale and a shift");
    return {values(pair[0], channels), values(pair[1], channels)};
}
inline Slopes as_slopes(const Tensor& slopes, int64_t channels) {
    const float* a = values(slopes, 3 * channels);
    return {a, a + channels, a + 2 * channels};
}

// T_s's packed filters (c/W, 9, 4, W) of so many channels.
inline const float* filters(const Tensor& packed, int64_t channels) {
    TORCH_CHECK(packed.dim() == 4 && packed.size(0) * packed.size(3) == channels,
                "filters of sizes ", packed.sizes(), " do not fit ", channels, " channels");
    return values(packed, 36 * channels);
}

// A packed 1x1 convolution (outputs/W, inputs, W). Passes that apply a BN to its inputs want vectors of them, too.
inline const float* pointwise_weight(const Tensor& packed, int64_t inputs, int64_t outputs, bool input_vectors) {
    TORCH_CHECK(packed.dim() == 3 && packed.size(1) == inputs && packed.size(0) * packed.size(2) == outputs &&
                    !(input_vectors && inputs % packed.size(2)),
                "a weight of sizes ", packed.sizes(), " does not fit ", inputs, " inputs and ", outputs, " outputs");
    return values(packed, inputs * outputs);
}

// Which of `inputs` channels each output takes.
inline const int32_t* channels_of(const Tensor& source, int64_t inputs) {
    const int32_t* from = values<int32_t>(source, source.numel());
    const bool inside = std::all_of(from, from + source.numel(), [=](int32_t i) { return 0 <= i && i < inputs; });
    TORCH_CHECK(inside, "a shortcut takes channels that its input of ", inputs, " channels does not have");
    return from;
}

inline Size size_of(const Tensor& x, int64_t stride) {
    check_images(x), check_size(x.size(2) + 2, x.size(3) + 2, x.size(1));  // z has a border
    TORCH_CHECK(x.numel() > 0, "images must have pixels");
    TORCH_CHECK(stride == 1 || stride == 2, "the stride must be 1 or 2, not ", stride);
    return {(int)x.size(2), (int)x.size(3), (int)x.size(1), (int)stride};
}
inline int pixels_of(const Tensor& x) {
    check_images(x);
    TORCH_CHECK(x.numel() > 0, "images must have pixels");
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
