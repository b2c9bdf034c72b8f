// The kernels for training as operators of torch, as ops.cpp has those for inference.
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
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::statistics_scratch(size), [&](Work work, int64_t n, int64_t part) {
            Kernels::statistics(work, read(v, n), write<double>(sums, part), size, bn, values(weight), tau);
        });
    });
    return total<double>(sums);
}

Pair tail_resize_(const Tensor& v, const Tensor& residual, const Tensor& out, int64_t stride, TensorList affine,
                  const Tensor& weight, const Tensor& bias, double tau, const Tensor& resize) {
    Size size = size_of(v, stride);
    check_images(residual), check_images(out);
    TORCH_CHECK(resize.size(-1) == weight.size(-1), "both weights must be packed for the same vectors");
    int outputs = (int)(resize.size(0) * resize.size(-1));
    Parts parts(v, size.pixels());
    Tensor y = new_images(out, outputs, out.size(2), out.size(3)), sums = parts.sums(outputs);
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::tail_scratch(size, outputs), [&](Work work, int64_t n, int64_t part) {
            Kernels::tail(work, read(v, n), read(residual, n), write(out, n), size, bn, values(weight), values(bias),
                          tau, {values(resize), outputs, write(y, n), write<double>(sums, part)});
        });
    });
    return {y, total<double>(sums)};
}

Pair backward_sums(const Tensor& v, const Tensor& out, const Tensor& gradient, int64_t stride, TensorList affine,
                   const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    check_images(out), check_images(gradient);
    Parts parts(v, size.pixels());
    Tensor g = new_images(gradient), sums = parts.sums(4 * v.size(1));
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::statistics_scratch(size), [&](Work work, int64_t n, int64_t part) {
            Kernels::backward_sums(work, read(v, n), read(out, n), read(gradient, n), write(g, n),
                                   write<double>(sums, part), size, bn, values(weight), tau, {});
        });
    });
    return {g, total<double>(sums)};
}

Pair resize_backward_sums_(const Tensor& g, const Tensor& y, const Tensor& dy, const Tensor& resize, const Tensor& slopes,
                           const Tensor& v, const Tensor& out, int64_t stride, TensorList affine,
                           const Tensor& weight, double tau) {
    Size size = size_of(v, stride);
    check_images(g), check_images(y), check_images(dy), check_images(out);
    TORCH_CHECK(resize.size(-1) == weight.size(-1), "both weights must be packed for the same vectors");
    int wide = (int)out.size(1), outputs = (int)y.size(1);
    Parts parts(v, size.pixels());
    Tensor dw = parts.gradients({outputs, wide}), sums = parts.sums(wide);
    Affine bn = as_affine(affine);
    Slopes of_y = as_slopes(slopes);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::backward_sums_scratch(size, outputs), [&](Work work, int64_t n, int64_t part) {
            ResizeBackward behind{read(y, n), read(dy, n), values(resize), outputs, of_y, write(dw, part)};
            Kernels::backward_sums(work, read(v, n), read(out, n), read(g, n), write(g, n), write<double>(sums, part),
                                   size, bn, values(weight), tau, behind);
        });
    });
    return {total<float>(dw), total<double>(sums)};
}

Triple backward(const Tensor& v, const Tensor& g, int64_t stride, TensorList affine, const Tensor& weight,
                const Tensor& slopes, double tau) {
    Size size = size_of(v, stride);
    check_images(g);
    Parts parts(v, size.pixels());
    Tensor dz = new_images(v), sums = parts.sums(v.size(1));
    Tensor dw = parts.gradients({weight.size(0), 9, 4, weight.size(-1)});
    Affine bn = as_affine(affine);
    Slopes of_t = as_slopes(slopes);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Training<w.value>;
        parts.run(Kernels::backward_scratch(size), [&](Work work, int64_t n, int64_t part) {
            Kernels::backward(work, read(v, n), read(g, n), write(dz, n), write(dw, part), write<double>(sums, part),
                              size, bn, values(weight), of_t, tau);
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
    Parts parts(x, pixels);
    Tensor out = new_images(x, outputs, x.size(2), x.size(3)), sums = parts.sums(outputs);
    Affine bn = as_affine(affine);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::forward_scratch(inputs, outputs), [&](Work work, int64_t n, int64_t part) {
            Kernels::forward(work, read(x, n), write(out, n), write<double>(sums, part), pixels, inputs, outputs,
                             values(weight), bn);
        });
    });
    return {out, total<double>(sums)};
}

Triple mix_backward(const Tensor& x, const Tensor& v, const Tensor& dz, const Tensor& weight, TensorList affine,
                    const Tensor& slopes) {
    int pixels = pixels_of(x), c = (int)x.size(1);
    check_images(v), check_images(dz);
    Parts parts(x, pixels);
    Tensor dx = new_images(x), dw = parts.gradients({c, c}), sums = parts.sums(c);
    Affine bn = as_affine(affine);
    Slopes of_v = as_slopes(slopes);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::mix_scratch(c), [&](Work work, int64_t n, int64_t part) {
            Kernels::mix_backward(work, read(x, n), read(v, n), read(dz, n), write(dx, n), write(dw, part),
                                  write<double>(sums, part), pixels, c, values(weight), bn, of_v);
        });
    });
    return {dx, total<float>(dw), total<double>(sums)};
}

Tensor resize_backward_(const Tensor& dx, const Tensor& x, const Tensor& y, const Tensor& dy, const Tensor& weight,
                        const Tensor& slopes) {
    int pixels = pixels_of(x), inputs = (int)x.size(1), outputs = (int)y.size(1);
    check_images(dx), check_images(y), check_images(dy);
    Parts parts(x, pixels);
    Tensor dw = parts.gradients({outputs, inputs});
    Slopes of_y = as_slopes(slopes);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Pointwise<w.value>;
        parts.run(Kernels::resize_scratch(outputs), [&](Work work, int64_t n, int64_t part) {
            Kernels::resize_backward(work, read(x, n), write(dx, n), pixels, inputs,
                                     {read(y, n), read(dy, n), values(weight), outputs, of_y, write(dw, part)});
        });
    });
    return total<float>(dw);
}

Tensor shortcut_sums(const Tensor& x, const std::optional<Tensor>& gradient, int64_t stride, const Tensor& source) {
    Size size = size_of(x, stride);
    if (gradient) check_images(*gradient);
    int outputs = (int)source.numel();
    Parts parts(x, size.pixels());
    Tensor sums = parts.sums(outputs);
    parts.run(Shortcut::sums_scratch(size, outputs), [&](Work work, int64_t n, int64_t part) {
        Shortcut::sums(work, read(x, n), gradient ? read(*gradient, n) : nullptr, write<double>(sums, part), size,
                       outputs, source.const_data_ptr<int32_t>());
    });
    return total<double>(sums);
}

Tensor shortcut_backward(const Tensor& x, const Tensor& gradient, int64_t stride, const Tensor& source,
                         const Tensor& scale, TensorList of_x) {
    Size size = size_of(x, stride);
    check_images(gradient);
    int outputs = (int)source.numel();
    Tensor dx = new_images(x);
    Affine kept = as_affine(of_x);
    over_images(x.size(0), Shortcut::backward_scratch(outputs), [&](Work work, int64_t n) {
        Shortcut::backward(work, read(x, n), read(gradient, n), write(dx, n), size, outputs,
                           source.const_data_ptr<int32_t>(), values(scale), kept);
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
