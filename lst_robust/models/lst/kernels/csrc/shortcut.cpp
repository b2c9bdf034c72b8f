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

// The chosen channels of a row's pixels, `step` floats apart in `from`. They are taken one by one, as the processor's
// own gathering is no faster, and for a whole row first, as vectors can't be read just after their parts were written.
inline void take(const float* __restrict from, int pixels, int step, const int32_t* __restrict source, int count,
                 float* __restrict taken) {
    for (int p = 0; p < pixels; p++, from += step, taken += count)
        for (int i = 0; i < count; i++) taken[i] = from[source[i]];
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
    for (int64_t n = 0; n < work.images; n++, x += size.values())
        for_kept_rows(x, size, [&](const float* from) {
            take(from, kept, step, source, outputs, work.scratch);
            for (int p = 0; p < kept; p++, out += outputs)
                multiply_add(affine.scale, work.scratch + p * outputs, affine.shift, outputs, out);
        });
}

LST_KERNEL void Shortcut::sums(Work work, const float* x, const float* gradient, double* sums, Size size, int outputs,
                               const int32_t* source) {
    int kept = size.out_width(), step = size.stride * size.channels;
    float *row = work.scratch, *taken = row + 2 * outputs;
    std::memset(sums, 0, sizeof(double) * 2 * outputs);
    for (int64_t n = 0; n < work.images; n++, x += size.values()) {
        for_kept_rows(x, size, [&](const float* from) {
            std::memset(row, 0, sizeof(float) * 2 * outputs);
            if (gradient) take(from, kept, step, source, outputs, taken);
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
                                   const int32_t* places, const float* scale, Affine of_x) {
    int kept = size.out_width(), inputs = size.channels, step = size.stride * inputs;
    float *scaled = work.scratch, *taken = scaled + kept * outputs;
    for (int64_t n = 0; n < work.images; n++, x += size.values(), dx += size.values()) {
        std::memset(dx, 0, sizeof(float) * size.values());
        for_kept_rows(x, size, [&](const float* from) {
            for (int i = 0; i < kept * outputs; i += 16) prefetch_to_read(gradient + i);
            for (int p = 0; p < kept; p++, gradient += outputs)
                for (int i = 0; i < outputs; i++) scaled[p * outputs + i] = scale[i] * gradient[i];
            take(scaled, kept, outputs, places, outputs, taken);
            for (int p = 0; p < kept; p++) {
                float* to = dx + (from - x) + p * step;
                multiply_add(of_x.scale, from + p * step, of_x.shift, inputs, to);
                for (int first = 0; first < outputs; first += inputs)
                    for (int i = 0; i < inputs; i++) to[i] += taken[p * outputs + first + i];
            }
        });
    }
}

}  // namespace lst
