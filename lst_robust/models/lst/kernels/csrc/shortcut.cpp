// LST-II's shortcut: a choice of channels, scaled and shifted.
#include "kernels.h"
#include "vectors.h"

namespace lst {
namespace {

// Calls visit(first pixel) for every stride-th row of an image.
template <class Visit>
inline void for_kept_rows(const float* x, Size size, Visit visit) {
    int row = size.width * size.channels;
    for (int y = 0; y < size.height; y += size.stride) {
        for (int i = 0; i < row; i += 16) __builtin_prefetch(x + (y + size.stride) * row + i, 0);
        visit(x + y * row);
    }
}

// `source` as runs of R input channels side by side: output (run L + f) R + b takes input first[run R + b] + f, for f < L.
// In an LST-Net it always has this form, with L features of the input and R that each becomes; R is 0 for any other.
struct Runs {
    explicit Runs(const int32_t* source, int outputs, int inputs) : source(source), outputs(outputs) {
        for (R = 1; R <= 2; R *= 2)
            for (length = inputs; length >= 8; length /= 2)
                if (outputs % (R * length) == 0 && fits()) return;
        R = 0;
    }

    bool fits() const {
        for (int i = 0; i < outputs; i++) {
            int within = i % (R * length);
            if (source[i] != source[i - within + within % R] + within / R) return false;
        }
        return true;
    }

    const int32_t* source;
    int outputs, R, length;
};

// Calls visit(place of an output, place of its input) for all, so that the compiler sees which are neighbours.
template <int R, class Visit>
inline void for_runs(const Runs& runs, Visit visit) {
    int length = runs.length;
    for (int run = 0; run < runs.outputs; run += R * length) {
        int first[R];
        for (int b = 0; b < R; b++) first[b] = runs.source[run + b];
        for (int f = 0; f < length; f++)
            for (int b = 0; b < R; b++) visit(run + f * R + b, first[b] + f);
    }
}
template <class Visit>
inline void for_channels(const Runs& runs, Visit visit) {
    if (runs.R == 1) return for_runs<1>(runs, visit);
    if (runs.R == 2) return for_runs<2>(runs, visit);
    for (int i = 0; i < runs.outputs; i++) visit(i, runs.source[i]);
}

// The chosen channels of a row's pixels, `step` floats apart in `from`.
inline void take(const float* __restrict from, int pixels, int step, const Runs& runs, float* __restrict taken) {
    for (int p = 0; p < pixels; p++, from += step, taken += runs.outputs)
        for_channels(runs, [=](int output, int input) { taken[output] = from[input]; });
}

inline void multiply_add(const float* __restrict scale, const float* __restrict x, const float* __restrict shift,
                         int count, float* __restrict out) {
    for (int i = 0; i < count; i += 16) prefetch_to_write(out + i);
    for (int i = 0; i < count; i++) out[i] = scale[i] * x[i] + shift[i];
}

inline void multiply_sums(const float* f, const float* x, int count, float* __restrict sums) {
    for (int i = 0; i < count; i += 16) prefetch_to_read(f + i);
    for (int i = 0; i < count; i++) sums[i] += f[i], sums[count + i] += f[i] * x[i];
}

}  // namespace

LST_KERNEL void Shortcut::forward(Work work, const float* x, float* out, Size size, int outputs, const int32_t* source,
                                  Affine affine) {
    int kept = size.out_width(), step = size.stride * size.channels;
    Runs runs(source, outputs, size.channels);
    for (int64_t n = 0; n < work.images; n++, x += size.values())
        for_kept_rows(x, size, [&](const float* from) {
            take(from, kept, step, runs, work.scratch);
            for (int p = 0; p < kept; p++, out += outputs)
                multiply_add(affine.scale, work.scratch + p * outputs, affine.shift, outputs, out);
        });
}

LST_KERNEL void Shortcut::sums(Work work, const float* x, const float* gradient, double* sums, Size size, int outputs,
                               const int32_t* source) {
    int kept = size.out_width(), step = size.stride * size.channels;
    float *row = work.scratch, *taken = row + 2 * outputs;
    Runs runs(source, outputs, size.channels);
    std::memset(sums, 0, sizeof(double) * 2 * outputs);
    for (int64_t n = 0; n < work.images; n++, x += size.values()) {
        for_kept_rows(x, size, [&](const float* from) {
            std::memset(row, 0, sizeof(float) * 2 * outputs);
            if (gradient) take(from, kept, step, runs, taken);
            for (int p = 0; p < kept; p++) {
                const float* value = gradient ? taken + p * outputs : from + p * step;
                multiply_sums(gradient ? gradient : value, value, outputs, row);
                if (gradient) gradient += outputs;
            }
            for (int i = 0; i < 2 * outputs; i++) sums[i] += row[i];
        });
    }
}

LST_KERNEL void Shortcut::backward(Work work, const float* x, const float* gradient, float* dx, Size size, int outputs,
                                   const int32_t* source, const float* scale, Affine of_x) {
    int kept = size.out_width(), inputs = size.channels, step = size.stride * inputs;
    float* scaled = work.scratch;
    Runs runs(source, outputs, inputs);
    for (int64_t n = 0; n < work.images; n++, x += size.values(), dx += size.values()) {
        if (size.stride > 1) std::memset(dx, 0, sizeof(float) * size.values());
        for_kept_rows(x, size, [&](const float* from) {
            for (int p = 0; p < kept; p++, gradient += outputs) {
                for (int i = 0; i < outputs; i += 16) prefetch_to_read(gradient + i);
                float* __restrict to = dx + (from - x) + p * step;
                for (int i = 0; i < outputs; i++) scaled[i] = scale[i] * gradient[i];
                multiply_add(of_x.scale, from + p * step, of_x.shift, inputs, to);
                const float* __restrict values = scaled;
                for_channels(runs, [=](int output, int input) { to[input] += values[output]; });
            }
        });
    }
}

}  // namespace lst
