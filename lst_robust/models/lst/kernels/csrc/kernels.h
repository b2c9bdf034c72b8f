// The compiled passes of training, free of torch; block.h has inference. Images are float32, channels last:
// (images, height, width, channels).
//
//   z = shrink(b2 + W2 relu(b1 + W1 x))          1x1 convolutions T_r and T_c
//   out = shrink(residual + b3 + T_s z)          four 3x3 depthwise filters a channel, k-major, stride 1 or 2
//
// W is the number of floats in a vector, and every number of channels is a multiple of W. packing.py says how weights
// are packed. Pointers to images stand at the first image of the call. Sums and weights' gradients (dw) are over the images
// of the call. Sums are added up in float over an image and in double over images.
#pragma once

#include <cstdint>

// Each source is compiled once for every width of vectors, see vectors.h. What is marked so leaves no machine code of its
// own, which the linker could take from an object for another processor.
#define LST_INLINE inline __attribute__((always_inline))

namespace lst {

// The images of one call, and memory of its own of the size that the function's `_scratch` says, in floats.
struct Work {
    int64_t images;
    float* scratch;
};

// The size of one image. `stride` is that of T_s or of the shortcut.
struct Size {
    int height, width, channels, stride;

    LST_INLINE int out_height() const { return (height - 1) / stride + 1; }
    LST_INLINE int out_width() const { return (width - 1) / stride + 1; }
    LST_INLINE int pixels() const { return height * width; }
    LST_INLINE int out_pixels() const { return out_height() * out_width(); }
    LST_INLINE int64_t values() const { return (int64_t)pixels() * channels; }
    LST_INLINE int64_t out_values(int outputs) const { return (int64_t)out_height() * out_width() * outputs; }
    LST_INLINE int64_t padded_values() const { return (int64_t)(height + 2) * (width + 2) * channels; }
};

// scale x + shift, one of each a channel. Without scale: x itself.
struct Affine {
    const float *scale, *shift;
};

// a g + b x + e, one of each a channel: the gradient of a BN's input x, from the gradient g of its output.
struct Slopes {
    const float *a, *b, *e;
};

template <int W>
struct Bottleneck {
    // The block from T_c's output v on, with z = shrink(affine(v)).
    // `out` may be `residual`.
    static void tail(Work, const float* v, const float* residual, float* out, Size, Affine, const float* w,
                     const float* bias, float tau);
    static LST_INLINE int64_t tail_scratch(Size size) { return size.padded_values(); }
};

// Pixels at a time in training, for a block of c channels. All that belongs to them stays in caches. Few where they are
// wide beside the weights, as a part of a page is read soon and the processor fetches its rest in the meantime. Many
// where the weights are what comes from farther away.
LST_INLINE int tile_of(int c) { return c <= 64 ? 16 : c <= 128 ? 32 : 64; }

// The T_r behind a block, forward: y = W x (outputs channels), sums (2, outputs) of y and y².
struct Resize {
    const float* w;
    int outputs;
    float* y;
    double* sums;
};

// The same T_r backward, with its BN. The gradient of y is d = slopes(dy, y), and that of x is W transposed d; w is W
// transposed. From it also that of W, dw (outputs, inputs).
struct ResizeBackward {
    const float *y, *dy, *w;
    int outputs;
    Slopes slopes;
    float* dw;
};

// The second half of the block in training, from T_c's output v on, with z = shrink(affine(v)) and t = T_s z.
template <int W>
struct Training {
    // sums (2, 4c) of t and t².
    static void statistics(Work, const float* v, double* sums, Size, Affine, const float* w, float tau);
    static LST_INLINE int64_t statistics_scratch(Size size) { return size.padded_values() + 8 * size.channels; }

    // As Bottleneck::tail, and the next block's T_r on `out`.
    static void tail(Work, const float* v, const float* residual, float* out, Size, Affine, const float* w,
                     const float* bias, float tau, Resize);
    static LST_INLINE int64_t tail_scratch(Size size, int outputs) { return size.padded_values() + 2 * outputs; }

    // Backward, first pass. The gradient of `out` is `gradient`, plus what the T_r behind hands back if there is one (its
    // y is not null). g is that where out is not 0 (everywhere if there is no threshold): the residual's gradient, which
    // may have the memory of `gradient`. sums (2, 4c) of g and g t.
    static void backward_sums(Work, const float* v, const float* out, const float* gradient, float* g, double* sums,
                              Size, Affine, const float* w, float tau, ResizeBackward);
    static LST_INLINE int64_t backward_sums_scratch(Size size, int outputs) {
        return statistics_scratch(size) + tile_of(size.channels) * outputs;
    }

    // Backward, second pass: slopes(g, t) is the gradient of t. From it come that of affine(v), dz (0 where z is 0, if
    // there is a threshold), and that of the filters, dw (c/W, 9, 4, W); sums (2, c) of dz and dz v.
    static void backward(Work, const float* v, const float* g, float* dz, float* dw, double* sums, Size, Affine,
                         const float* w, Slopes, float tau);
    static LST_INLINE int64_t backward_scratch(Size size) {
        return size.padded_values() + (12 * (size.width + 2) + 2) * size.channels;
    }
};

template <int W>
struct Pointwise {
    // sums (2, c) of v and v².
    static void sums(Work, const float* v, double* sums, int pixels, int c);
    static LST_INLINE int64_t sums_scratch(int c) { return 2 * c; }

    // BN's gradient, in place: dz = slopes(dz, v). Needs no scratch.
    static void normalise_backward(Work, const float* v, float* dz, int pixels, int c, Slopes);

    // T_r and T_c: out = W x, or W relu(affine(x)) if there is a scale; sums (2, outputs) of out and out².
    static void forward(Work, const float* x, float* out, double* sums, int pixels, int inputs, int outputs,
                        const float* w, Affine);
    static LST_INLINE int64_t forward_scratch(int inputs, int outputs) { return tile_of(outputs) * inputs + 2 * outputs; }

    // T_c backward, v = W relu(affine(x)) with BN behind it. The gradient of v is slopes(dz, v). From it: that of W,
    // dw (c, c), and that of affine(x), dx; sums (2, c) of dx and dx x. w is W transposed.
    static void mix_backward(Work, const float* x, const float* v, const float* dz, float* dx, float* dw, double* sums,
                             int pixels, int c, const float* w, Affine, Slopes);
    static LST_INLINE int64_t mix_scratch(int c) { return (2 * tile_of(c) + 2) * c; }

    // T_r backward: adds the gradient of x to dx.
    static void resize_backward(Work, const float* x, float* dx, int pixels, int inputs, ResizeBackward);
    static LST_INLINE int64_t resize_scratch(int outputs) { return tile_of(outputs) * outputs; }
};

// LST-II's shortcut: affine(x[every stride-th pixel, source]). It has no vectors of a fixed width.
struct Shortcut {
    static void forward(Work, const float* x, float* out, Size, int outputs, const int32_t* source, Affine);
    static LST_INLINE int64_t forward_scratch(Size size, int outputs) { return (int64_t)size.out_width() * outputs; }

    // sums (2, outputs) of x and x² (outputs = channels, no gradient), or of gradient and gradient x[source].
    static void sums(Work, const float* x, const float* gradient, double* sums, Size, int outputs,
                     const int32_t* source);
    static LST_INLINE int64_t sums_scratch(Size size, int outputs) { return (int64_t)(2 + size.out_width()) * outputs; }

    // dx = a x + b at the kept pixels, plus scale gradient for every output that comes from the channel; 0 elsewhere.
    // of_x: a and b.
    static void backward(Work, const float* x, const float* gradient, float* dx, Size, int outputs,
                         const int32_t* source, const float* scale, Affine of_x);
    static LST_INLINE int64_t backward_scratch(int outputs) { return outputs; }
};

}  // namespace lst
