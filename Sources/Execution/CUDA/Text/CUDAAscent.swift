// SPDX-License-Identifier: Apache-2.0
// The end of an iteration on the GPU. bagel_sum adds up the blocks' gradients, 32 parameters a block; then one block
// adds up the returns, shortens the gradient to its limit and takes Adam's step (Kingma & Ba 2014) as in
// Adam.swift. All in fixed order and double precision.
//
//   record [5]: mean return, gradient norm, particles diverged, adjoints cut, 1 if moved

enum CUDAAscent {
  /// Threads of a block of bagel_sum, and parameters it adds up.
  static let sumThreads = 256
  static let sumParameters = 32
  /// Threads of bagel_ascend's block.
  static let threads = 1_024
  /// Doubles of a record.
  static let recordLength = 5

  /// The kernels' argument: pointers, then numbers. Parameters are kept exactly, and in single precision for rollouts.
  static let arguments =
    ["gradients", "totals", "alive_steps", "truncations"]
    .map { KernelArguments.rollout($0).accessed(.read) } + [
      KernelArguments.rollout("total_weights"),
      KernelArguments.rollout("parameters").accessed(.write),
    ] + own + [record]

  /// Those that rollouts do not have, once for all iterations.
  static let own = [
    KernelArgument("exact_parameters", .write, .double) { $0.rollout.parameterCount },
    KernelArgument("first_moment", .write, .double) { $0.rollout.parameterCount },
    KernelArgument("second_moment", .write, .double) { $0.rollout.parameterCount },
    KernelArgument("gradient", .write, .double) { $0.rollout.parameterCount },
    KernelArgument("stopped", .write, .double) { _ in 1 },
  ]
  /// Of one iteration.
  static let record = KernelArgument("record", .write, .double) { _ in recordLength }

  static var text: String {
    """
    struct ascent {
    \(KernelArguments.members(arguments, dataArrays: []).joined(separator: "\n"))
      int64_t rows, particles, horizon, moves;
      double rate, limit, correction1, correction2;
    };
    #define BETA1 \(Adam.beta1)
    #define BETA2 \(Adam.beta2)
    #define EPSILON \(Adam.epsilon)

    """ + kernels
  }

  private static let kernels = #"""
    // The sum over a block of 1,024 threads, the same bits in all.
    INLINE double block_sum(double x) {
      __shared__ double part[32];
      UNROLL for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(ALL_LANES, x, offset);
      __syncthreads();
      if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = x;
      __syncthreads();
      double total = 0.;
      for (int w = 0; w < 32; ++w) total += part[w];
      return total;
    }

    // Eight warps over the rows of 32 parameters.
    extern "C" __global__ void __launch_bounds__(256)
    bagel_sum(const __grid_constant__ struct ascent a) {
      __shared__ double part[8][32];
      int i = blockIdx.x * 32 + threadIdx.x % 32, warp = threadIdx.x / 32;
      double sum = 0.;
      for (int64_t r = warp; i < P && r < a.rows; r += 8) sum += (double)a.gradients[r * P + i];
      part[warp][threadIdx.x % 32] = sum;
      __syncthreads();
      if (warp > 0 || i >= P) return;
      double total = 0.;
      for (int w = 0; w < 8; ++w) total += part[w][threadIdx.x];
      a.gradient[i] = total;
    }

    extern "C" __global__ void __launch_bounds__(1024)
    bagel_ascend(const __grid_constant__ struct ascent a) {
      double squares = 0.;
      for (int i = threadIdx.x; i < P; i += 1024) squares += a.gradient[i] * a.gradient[i];
      double returns = 0., diverged = 0., cut = 0.;
      for (int64_t b = threadIdx.x; b < a.particles; b += 1024) {
        for (int k = 0; k < TOTALS; ++k)
          if (a.total_weights[k] != 0.f) returns += (double)a.total_weights[k] * (double)a.totals[b * TOTALS + k];
        diverged += a.alive_steps[b] < (float)a.horizon ? 1. : 0.;
        cut += (double)a.truncations[b];
      }
      double norm = sqrt(block_sum(squares)), mean = block_sum(returns) / (double)a.particles;
      diverged = block_sum(diverged);
      cut = block_sum(cut);
      // A gradient that is not finite moves nothing, and neither does what comes after it.
      bool moves = a.moves && isfinite(norm) && isfinite(mean) && *a.stopped == 0.;
      __syncthreads();
      if (threadIdx.x == 0) {
        a.record[0] = mean;
        a.record[1] = norm;
        a.record[2] = diverged;
        a.record[3] = cut;
        a.record[4] = moves ? 1. : 0.;
        if (a.moves && !moves) *a.stopped = 1.;
      }
      if (!moves) return;
      double shorten = norm > a.limit ? a.limit / norm : 1.;
      for (int i = threadIdx.x; i < P; i += 1024) {
        double g = a.gradient[i] * shorten;
        double m = a.first_moment[i] = BETA1 * a.first_moment[i] + (1 - BETA1) * g;
        double v = a.second_moment[i] = BETA2 * a.second_moment[i] + (1 - BETA2) * g * g;
        a.exact_parameters[i] += a.rate * (m / a.correction1 / (sqrt(v / a.correction2) + EPSILON));
        a.parameters[i] = (float)a.exact_parameters[i];
      }
    }
    """#
}
