// The kernels as operators of torch, torch.ops.lst_robust: float32 on the CPU, (N, C, H, W) in channels last. Images are
// shared out over torch's threads, and what a call computes does not depend on how many there are.
//
// Sums are float64 (2, channels), over all images and pixels. `affine` is [scale, shift] or [], `slopes` is [a, b, e].
#include <torch/library.h>

#include <optional>

#include "tensors.h"

namespace lst {
namespace {

Tensor new_sums(const Tensor& like, int64_t channels) {
    return like.new_empty({like.size(0), 2, channels}, at::TensorOptions().dtype(at::kDouble));
}

int64_t lanes() { return widest_lanes(); }

void tail_(const Tensor& v, const Tensor& residual, const Tensor& out, int64_t stride, TensorList affine,
           const Tensor& weight, const Tensor& bias, double tau) {
    Size size = size_of(v, stride);
    check_images(residual), check_images(out);
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Bottleneck<w.value>;
        over_images(v.size(0), Kernels::tail_scratch(size), [&](Work work, int64_t n) {
            Kernels::tail(work, read(v, n), read(residual, n), write(out, n), size, bn, values(weight), values(bias),
                          tau);
        });
    });
}

Tensor statistics(const Tensor& v, int64_t stride, TensorList affine, const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    Tensor sums = new_sums(v, 4 * v.size(1));
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Bottleneck<w.value>;
        over_images(v.size(0), Kernels::statistics_scratch(size), [&](Work work, int64_t n) {
            Kernels::statistics(work, read(v, n), write<double>(sums, n), size, bn, values(weight), tau);
        });
    });
    return sums.sum(0);
}

Pair backward_sums(const Tensor& v, const Tensor& out, const Tensor& gradient, int64_t stride, TensorList affine,
                   const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    check_images(out), check_images(gradient);
    Tensor g = new_images(gradient), sums = new_sums(v, 4 * v.size(1));
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Bottleneck<w.value>;
        over_images(v.size(0), Kernels::statistics_scratch(size), [&](Work work, int64_t n) {
            Kernels::backward_sums(work, read(v, n), read(out, n), read(gradient, n), write(g, n),
                                   write<double>(sums, n), size, bn, values(weight), tau);
        });
    });
    return {g, sums.sum(0)};
}

Triple backward(const Tensor& v, const Tensor& g, int64_t stride, TensorList affine, const Tensor& weight,
                TensorList slopes, double tau) {
    Size size = size_of(v, stride);
    check_images(g);
    Tensor dz = new_images(v), sums = new_sums(v, v.size(1));
    Tensor dw = v.new_empty({v.size(0), weight.size(0), 9, 4, weight.size(-1)});
    Affine bn = as_affine(affine);
    Slopes of_t = as_slopes(slopes);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Bottleneck<w.value>;
        over_images(v.size(0), Kernels::backward_scratch(size), [&](Work work, int64_t n) {
            Kernels::backward(work, read(v, n), read(g, n), write(dz, n), write(dw, n), write<double>(sums, n), size,
                              bn, values(weight), of_t, tau);
        });
    });
    return {dz, dw.sum(0), sums.sum(0)};
}

Tensor sums(const Tensor& v) {
    int pixels = pixels_of(v), c = (int)v.size(1);
    Tensor sums = new_sums(v, c);
    with_lanes(fitting_lanes(c), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        over_images(v.size(0), Kernels::sums_scratch(c), [&](Work work, int64_t n) {
            Kernels::sums(work, read(v, n), write<double>(sums, n), pixels, c);
        });
    });
    return sums.sum(0);
}

void normalise_backward_(const Tensor& dz, const Tensor& v, TensorList slopes) {
    int pixels = pixels_of(v), c = (int)v.size(1);
    check_images(dz);
    Slopes of_v = as_slopes(slopes);
    with_lanes(fitting_lanes(c), [&](auto w) {
        over_images(v.size(0), 0, [&](Work work, int64_t n) {
            Pointwise<w.value>::normalise_backward(work, read(v, n), write(dz, n), pixels, c, of_v);
        });
    });
}

Pair pointwise(const Tensor& x, const Tensor& weight, TensorList affine) {
    int pixels = pixels_of(x), inputs = (int)x.size(1), outputs = (int)(weight.size(0) * weight.size(-1));
    Tensor out = new_images(x, outputs, x.size(2), x.size(3)), sums = new_sums(x, outputs);
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        over_images(x.size(0), Kernels::forward_scratch(inputs, outputs), [&](Work work, int64_t n) {
            Kernels::forward(work, read(x, n), write(out, n), write<double>(sums, n), pixels, inputs, outputs,
                             values(weight), bn);
        });
    });
    return {out, sums.sum(0)};
}

Triple mix_backward(const Tensor& x, const Tensor& gradient, const Tensor& weight, TensorList affine) {
    int pixels = pixels_of(x), c = (int)x.size(1);
    check_images(gradient);
    Tensor dx = new_images(x), dw = x.new_empty({x.size(0), c, c}), sums = new_sums(x, c);
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        over_images(x.size(0), Kernels::mix_scratch(c), [&](Work work, int64_t n) {
            Kernels::mix_backward(work, read(x, n), read(gradient, n), write(dx, n), write(dw, n),
                                  write<double>(sums, n), pixels, c, values(weight), bn);
        });
    });
    return {dx, dw.sum(0), sums.sum(0)};
}

Tensor resize_backward_(const Tensor& dx, const Tensor& x, const Tensor& y, const Tensor& dy, const Tensor& weight,
                        TensorList slopes) {
    int pixels = pixels_of(x), inputs = (int)x.size(1), outputs = (int)y.size(1);
    check_images(dx), check_images(y), check_images(dy);
    Tensor dw = x.new_empty({x.size(0), outputs, inputs});
    Slopes of_y = as_slopes(slopes);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        over_images(x.size(0), Kernels::resize_scratch(outputs), [&](Work work, int64_t n) {
            Kernels::resize_backward(work, read(x, n), read(y, n), read(dy, n), write(dx, n), write(dw, n), pixels,
                                     inputs, outputs, values(weight), of_y);
        });
    });
    return dw.sum(0);
}

Tensor shortcut(const Tensor& x, int64_t stride, const Tensor& source, const Tensor& scale, const Tensor& shift) {
    Size size = size_of(x, stride);
    int outputs = (int)source.numel();
    Tensor out = new_images(x, outputs, size.out_height(), size.out_width());
    over_images(x.size(0), Shortcut::forward_scratch(size, outputs), [&](Work work, int64_t n) {
        Shortcut::forward(work, read(x, n), write(out, n), size, outputs, source.const_data_ptr<int32_t>(),
                          {values(scale), values(shift)});
    });
    return out;
}

Tensor shortcut_sums(const Tensor& x, const std::optional<Tensor>& gradient, int64_t stride, const Tensor& source) {
    Size size = size_of(x, stride);
    if (gradient) check_images(*gradient);
    int outputs = (int)source.numel();
    Tensor sums = new_sums(x, outputs);
    over_images(x.size(0), Shortcut::sums_scratch(size, outputs), [&](Work work, int64_t n) {
        Shortcut::sums(work, read(x, n), gradient ? read(*gradient, n) : nullptr, write<double>(sums, n), size,
                       outputs, source.const_data_ptr<int32_t>());
    });
    return sums.sum(0);
}

Tensor shortcut_backward(const Tensor& x, const Tensor& gradient, int64_t stride, const Tensor& places,
                         const Tensor& scale, TensorList of_x) {
    Size size = size_of(x, stride);
    check_images(gradient);
    int outputs = (int)places.numel();
    Tensor dx = new_images(x);
    Affine kept = as_affine(of_x);
    over_images(x.size(0), Shortcut::backward_scratch(size, outputs), [&](Work work, int64_t n) {
        Shortcut::backward(work, read(x, n), read(gradient, n), write(dx, n), size, outputs,
                           places.const_data_ptr<int32_t>(), values(scale), kept);
    });
    return dx;
}

}  // namespace
}  // namespace lst

// kernels.h says what each computes.
TORCH_LIBRARY(lst_robust, m) {
    m.def("lanes() -> int", lst::lanes);
    m.def(
        "tail_(Tensor v, Tensor residual, Tensor(a!) out, int stride, Tensor[] affine, Tensor weight, Tensor bias, "
        "float tau) -> ()");
    m.def("statistics(Tensor v, int stride, Tensor[] affine, Tensor weight, float tau) -> Tensor");
    m.def(
        "backward_sums(Tensor v, Tensor out, Tensor gradient, int stride, Tensor[] affine, Tensor weight, float tau) "
        "-> (Tensor, Tensor)");
    m.def(
        "backward(Tensor v, Tensor g, int stride, Tensor[] affine, Tensor weight, Tensor[] slopes, float tau) "
        "-> (Tensor, Tensor, Tensor)");
    m.def("sums(Tensor v) -> Tensor");
    m.def("normalise_backward_(Tensor(a!) dz, Tensor v, Tensor[] slopes) -> ()");
    m.def("pointwise(Tensor x, Tensor weight, Tensor[] affine) -> (Tensor, Tensor)");
    m.def("mix_backward(Tensor x, Tensor gradient, Tensor weight, Tensor[] affine) -> (Tensor, Tensor, Tensor)");
    m.def(
        "resize_backward_(Tensor(a!) dx, Tensor x, Tensor y, Tensor dy, Tensor weight, Tensor[] slopes) -> Tensor");
    m.def("shortcut(Tensor x, int stride, Tensor source, Tensor scale, Tensor shift) -> Tensor");
    m.def("shortcut_sums(Tensor x, Tensor? gradient, int stride, Tensor source) -> Tensor");
    m.def(
        "shortcut_backward(Tensor x, Tensor gradient, int stride, Tensor places, Tensor scale, Tensor[] of_x) "
        "-> Tensor");
}

TORCH_LIBRARY_IMPL(lst_robust, CPU, m) {
    m.impl("tail_", lst::tail_);
    m.impl("statistics", lst::statistics);
    m.impl("backward_sums", lst::backward_sums);
    m.impl("backward", lst::backward);
    m.impl("sums", lst::sums);
    m.impl("normalise_backward_", lst::normalise_backward_);
    m.impl("pointwise", lst::pointwise);
    m.impl("mix_backward", lst::mix_backward);
    m.impl("resize_backward_", lst::resize_backward_);
    m.impl("shortcut", lst::shortcut);
    m.impl("shortcut_sums", lst::shortcut_sums);
    m.impl("shortcut_backward", lst::shortcut_backward);
}
