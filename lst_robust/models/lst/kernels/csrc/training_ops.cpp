// The kernels for training as operators of torch. ops.cpp has those of them that take no sums.
//
// Sums are float64 (2, channels), over all images and pixels. `affine` is [scale, shift] or [], `slopes` (3, channels) is a, b, e.
#include <torch/library.h>

#include <optional>

#include "tensors.h"

namespace lst {
namespace {

// Images in parts, each with sums and weights' gradients of its own: few enough that adding these up costs little, and
// enough for many threads. What is added up in float in a part is about as many pixels as an image has.
struct Parts {
    Parts(const Tensor& x, int64_t pixels)
        : images(x.size(0)), part(std::max<int64_t>(1, std::min({int64_t(8), 512 / pixels, images / 4}))),
          count((images + part - 1) / part), like(x) {}

    Tensor sums(int64_t channels) const {
        return like.new_empty({count, 2, channels}, at::TensorOptions().dtype(at::kDouble));
    }
    Tensor gradients(std::vector<int64_t> shape) const {
        shape.insert(shape.begin(), count);
        return like.new_empty(shape);
    }
    template <class Call>
    void run(int64_t scratch_size, Call call) const {
        over_parts(images, part, scratch_size, call);
    }

    const int64_t images, part, count;
    const Tensor& like;
};

Tensor statistics(const Tensor& v, int64_t stride, TensorList affine, const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    Parts parts(v, size.pixels());
    Tensor sums = parts.sums(4 * v.size(1));
    Affine bn = as_affine(affine, size.channels);
    const float* w_s = filters(weight, size.channels);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::statistics_scratch(size), [&](Work work, int64_t n, int64_t part) {
            Kernels::statistics(work, read(v, n), write<double>(sums, part), size, bn, w_s, tau);
        });
    });
    return total<double>(sums);
}

Pair tail_resize_(const Tensor& v, const Tensor& residual, const Tensor& out, int64_t stride, TensorList affine,
                  const Tensor& weight, const Tensor& bias, double tau, const Tensor& resize) {
    Size size = size_of(v, stride);
    const int wide = 4 * size.channels;
    for (const Tensor& images : {residual, out}) check_images(images, v, wide, size.out_height(), size.out_width());
    TORCH_CHECK(resize.size(-1) == weight.size(-1), "both weights must be packed for the same vectors");
    int outputs = (int)(resize.size(0) * resize.size(-1));
    Parts parts(v, size.pixels());
    Tensor y = new_images(out, outputs, out.size(2), out.size(3)), sums = parts.sums(outputs);
    Affine bn = as_affine(affine, size.channels);
    const float *w_s = filters(weight, size.channels), *b = values(bias, wide);
    const float* w_r = pointwise_weight(resize, wide, outputs, false);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::tail_scratch(size, outputs), [&](Work work, int64_t n, int64_t part) {
            Kernels::tail(work, read(v, n), read(residual, n), write(out, n), size, bn, w_s, b, tau,
                          {w_r, outputs, write(y, n), write<double>(sums, part)});
        });
    });
    return {y, total<double>(sums)};
}

Pair backward_sums(const Tensor& v, const Tensor& out, const Tensor& gradient, int64_t stride, TensorList affine,
                   const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    for (const Tensor& wide : {out, gradient})
        check_images(wide, v, 4 * size.channels, size.out_height(), size.out_width());
    Parts parts(v, size.pixels());
    Tensor g = new_images(gradient), sums = parts.sums(4 * v.size(1));
    Affine bn = as_affine(affine, size.channels);
    const float* w_s = filters(weight, size.channels);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::statistics_scratch(size), [&](Work work, int64_t n, int64_t part) {
            Kernels::backward_sums(work, read(v, n), read(out, n), read(gradient, n), write(g, n),
                                   write<double>(sums, part), size, bn, w_s, tau, {});
        });
    });
    return {g, total<double>(sums)};
}

Pair resize_backward_sums_(const Tensor& g, const Tensor& y, const Tensor& dy, const Tensor& resize, const Tensor& slopes,
                           const Tensor& v, const Tensor& out, int64_t stride, TensorList affine,
                           const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    int wide = 4 * size.channels, outputs = (int)y.size(1);
    for (const Tensor& images : {out, g}) check_images(images, v, wide, size.out_height(), size.out_width());
    for (const Tensor& images : {y, dy}) check_images(images, v, outputs, size.out_height(), size.out_width());
    TORCH_CHECK(resize.size(-1) == weight.size(-1), "both weights must be packed for the same vectors");
    Parts parts(v, size.pixels());
    Tensor dw = parts.gradients({outputs, wide}), sums = parts.sums(wide);
    Affine bn = as_affine(affine, size.channels);
    Slopes of_y = as_slopes(slopes, outputs);
    const float *w_s = filters(weight, size.channels), *w_r = pointwise_weight(resize, outputs, wide, true);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::backward_sums_scratch(size, outputs), [&](Work work, int64_t n, int64_t part) {
            ResizeBackward behind{read(y, n), read(dy, n), w_r, outputs, of_y, write(dw, part)};
            Kernels::backward_sums(work, read(v, n), read(out, n), read(g, n), write(g, n), write<double>(sums, part),
                                   size, bn, w_s, tau, behind);
        });
    });
    return {total<float>(dw), total<double>(sums)};
}

Triple backward(const Tensor& v, const Tensor& g, int64_t stride, TensorList affine, const Tensor& weight,
                const Tensor& slopes, double tau) {
    Size size = size_of(v, stride);
    check_images(g, v, 4 * size.channels, size.out_height(), size.out_width());
    Parts parts(v, size.pixels());
    Affine bn = as_affine(affine, size.channels);
    Slopes of_t = as_slopes(slopes, 4 * size.channels);
    const float* w_s = filters(weight, size.channels);
    Tensor dz = new_images(v), sums = parts.sums(v.size(1));
    Tensor dw = parts.gradients({weight.size(0), 9, 4, weight.size(-1)});
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::backward_scratch(size), [&](Work work, int64_t n, int64_t part) {
            Kernels::backward(work, read(v, n), read(g, n), write(dz, n), write(dw, part), write<double>(sums, part),
                              size, bn, w_s, of_t, tau);
        });
    });
    return {dz, total<float>(dw), total<double>(sums)};
}

Tensor sums(const Tensor& v) {
    int pixels = pixels_of(v), c = (int)v.size(1);
    Parts parts(v, pixels);
    Tensor sums = parts.sums(c);
    with_lanes(fitting_lanes(c), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::sums_scratch(c), [&](Work work, int64_t n, int64_t part) {
            Kernels::sums(work, read(v, n), write<double>(sums, part), pixels, c);
        });
    });
    return total<double>(sums);
}

void normalise_backward_(const Tensor& dz, const Tensor& v, const Tensor& slopes) {
    int pixels = pixels_of(v), c = (int)v.size(1);
    check_images(dz, v);
    Slopes of_v = as_slopes(slopes, c);
    with_lanes(fitting_lanes(c), [&](auto w) {
        over_images(v.size(0), 0, [&](Work work, int64_t n) {
            Pointwise<w.value>::normalise_backward(work, read(v, n), write(dz, n), pixels, c, of_v);
        });
    });
}

Pair pointwise(const Tensor& x, const Tensor& weight, TensorList affine) {
    int pixels = pixels_of(x), inputs = (int)x.size(1), outputs = (int)(weight.size(0) * weight.size(-1));
    Parts parts(x, pixels);
    Affine bn = as_affine(affine, inputs);
    const float* w_p = pointwise_weight(weight, inputs, outputs, bn.scale);
    Tensor out = new_images(x, outputs, x.size(2), x.size(3)), sums = parts.sums(outputs);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::forward_scratch(inputs, outputs), [&](Work work, int64_t n, int64_t part) {
            Kernels::forward(work, read(x, n), write(out, n), write<double>(sums, part), pixels, inputs, outputs, w_p,
                             bn);
        });
    });
    return {out, total<double>(sums)};
}

Triple mix_backward(const Tensor& x, const Tensor& v, const Tensor& dz, const Tensor& weight, TensorList affine,
                    const Tensor& slopes) {
    int pixels = pixels_of(x), c = (int)x.size(1);
    check_images(v, x), check_images(dz, x);
    Parts parts(x, pixels);
    Tensor dx = new_images(x), dw = parts.gradients({c, c}), sums = parts.sums(c);
    Affine bn = as_affine(affine, c);
    TORCH_CHECK(bn.scale, "the BN before T_c has a scale and a shift");
    Slopes of_v = as_slopes(slopes, c);
    const float* w_c = pointwise_weight(weight, c, c, true);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::mix_scratch(c), [&](Work work, int64_t n, int64_t part) {
            Kernels::mix_backward(work, read(x, n), read(v, n), read(dz, n), write(dx, n), write(dw, part),
                                  write<double>(sums, part), pixels, c, w_c, bn, of_v);
        });
    });
    return {dx, total<float>(dw), total<double>(sums)};
}

Tensor resize_backward_(const Tensor& dx, const Tensor& x, const Tensor& y, const Tensor& dy, const Tensor& weight,
                        const Tensor& slopes) {
    int pixels = pixels_of(x), inputs = (int)x.size(1), outputs = (int)y.size(1);
    check_images(dx, x), check_images(dy, y), check_images(y, x, outputs, x.size(2), x.size(3));
    Parts parts(x, pixels);
    Tensor dw = parts.gradients({outputs, inputs});
    Slopes of_y = as_slopes(slopes, outputs);
    const float* w_r = pointwise_weight(weight, outputs, inputs, true);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::resize_scratch(outputs), [&](Work work, int64_t n, int64_t part) {
            Kernels::resize_backward(work, read(x, n), write(dx, n), pixels, inputs,
                                     {read(y, n), read(dy, n), w_r, outputs, of_y, write(dw, part)});
        });
    });
    return total<float>(dw);
}

Tensor shortcut_sums(const Tensor& x, const std::optional<Tensor>& gradient, int64_t stride, const Tensor& source) {
    Size size = size_of(x, stride);
    int outputs = (int)source.numel();
    const int32_t* from = channels_of(source, size.channels);
    if (gradient) check_images(*gradient, x, outputs, size.out_height(), size.out_width());
    TORCH_CHECK(gradient || outputs == size.channels, "without a gradient the sums are those of all channels");
    Parts parts(x, size.pixels());
    Tensor sums = parts.sums(outputs);
    parts.run(Shortcut::sums_scratch(size, outputs), [&](Work work, int64_t n, int64_t part) {
        Shortcut::sums(work, read(x, n), gradient ? read(*gradient, n) : nullptr, write<double>(sums, part), size,
                       outputs, from);
    });
    return total<double>(sums);
}

Tensor shortcut_backward(const Tensor& x, const Tensor& gradient, int64_t stride, const Tensor& source,
                         const Tensor& scale, TensorList of_x) {
    Size size = size_of(x, stride);
    int outputs = (int)source.numel();
    check_images(gradient, x, outputs, size.out_height(), size.out_width());
    const int32_t* from = channels_of(source, size.channels);
    Tensor dx = new_images(x);
    Affine kept = as_affine(of_x, size.channels);
    TORCH_CHECK(kept.scale, "the gradient of x has two values a channel");
    const float* factors = values(scale, outputs);
    over_images(x.size(0), Shortcut::backward_scratch(outputs), [&](Work work, int64_t n) {
        Shortcut::backward(work, read(x, n), read(gradient, n), write(dx, n), size, outputs, from,
                           factors, kept);
    });
    return dx;
}

}  // namespace
}  // namespace lst

// kernels.h says what each computes.
TORCH_LIBRARY_FRAGMENT(lst_robust, m) {
    m.def("statistics(Tensor v, int stride, Tensor[] affine, Tensor weight, float tau) -> Tensor");
    m.def(
        "tail_resize_(Tensor v, Tensor residual, Tensor(a!) out, int stride, Tensor[] affine, Tensor weight, "
        "Tensor bias, float tau, Tensor resize) -> (Tensor, Tensor)");
    m.def(
        "backward_sums(Tensor v, Tensor out, Tensor gradient, int stride, Tensor[] affine, Tensor weight, float tau) "
        "-> (Tensor, Tensor)");
    m.def(
        "resize_backward_sums_(Tensor(a!) g, Tensor y, Tensor dy, Tensor resize, Tensor slopes, Tensor v, Tensor out, "
        "int stride, Tensor[] affine, Tensor weight, float tau) -> (Tensor, Tensor)");
    m.def(
        "backward(Tensor v, Tensor g, int stride, Tensor[] affine, Tensor weight, Tensor slopes, float tau) "
        "-> (Tensor, Tensor, Tensor)");
    m.def("sums(Tensor v) -> Tensor");
    m.def("normalise_backward_(Tensor(a!) dz, Tensor v, Tensor slopes) -> ()");
    m.def("pointwise(Tensor x, Tensor weight, Tensor[] affine) -> (Tensor, Tensor)");
    m.def(
        "mix_backward(Tensor x, Tensor v, Tensor dz, Tensor weight, Tensor[] affine, Tensor slopes) "
        "-> (Tensor, Tensor, Tensor)");
    m.def(
        "resize_backward_(Tensor(a!) dx, Tensor x, Tensor y, Tensor dy, Tensor weight, Tensor slopes) -> Tensor");
    m.def("shortcut_sums(Tensor x, Tensor? gradient, int stride, Tensor source) -> Tensor");
    m.def(
        "shortcut_backward(Tensor x, Tensor gradient, int stride, Tensor source, Tensor scale, Tensor[] of_x) "
        "-> Tensor");
}

TORCH_LIBRARY_IMPL(lst_robust, CPU, m) {
    m.impl("statistics", lst::statistics);
    m.impl("tail_resize_", lst::tail_resize_);
    m.impl("backward_sums", lst::backward_sums);
    m.impl("resize_backward_sums_", lst::resize_backward_sums_);
    m.impl("backward", lst::backward);
    m.impl("sums", lst::sums);
    m.impl("normalise_backward_", lst::normalise_backward_);
    m.impl("pointwise", lst::pointwise);
    m.impl("mix_backward", lst::mix_backward);
    m.impl("resize_backward_", lst::resize_backward_);
    m.impl("shortcut_sums", lst::shortcut_sums);
    m.impl("shortcut_backward", lst::shortcut_backward);
}
