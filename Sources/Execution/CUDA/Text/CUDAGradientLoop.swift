// SPDX-License-Identifier: Apache-2.0
// The loop of the gradient kernel on a GPU:
//
//   forward:  k = 0 ... H - 1; where the tape of all steps has no room, only every SEGMENT-th state is kept
//   reverse:  segments from last to first: load its state, run it again keeping the tape, then its adjoint
//
// Gradients: registers of a lane -> sum over the particles of its warp -> warp's row -> block's row, all in
// fixed order.

import Programs

enum CUDAGradientLoop {
  static func text(_ steps: StepText) -> String {
    """

    // The sum over a warp's teams; element `index` of parameters if `owns`. Lanes of other accumulators may add to
    // the same parameter, hence the barrier.
    INLINE void flush(float *row, int index, bool owns, float value) {
      UNROLL for (int offset = 16; offset >= LANES; offset /= 2) value += __shfl_xor_sync(ALL_LANES, value, offset);
      if (owns && threadIdx.x % 32 < LANES) row[index] += value;
    }
    INLINE void flush_whole(float *row, const vf *sum, const int count) {
      UNROLL for (int i = 0; i < count; ++i) flush(row, i, lane() == 0, sum[i]);
      __syncwarp();
    }
    INLINE void flush_rows(float *row, const vf *sum, const int rows, const int columns) {
      UNROLL for (int slot = 0; slot < SLOTS(rows); ++slot)
        UNROLL for (int j = 0; j < columns; ++j)
          flush(row, (slot * LANES + lane()) * columns + j, slot * LANES + lane() < rows, sum[slot * columns + j]);
      __syncwarp();
    }
    INLINE void flush_columns(float *row, const vf *sum, const int rows, const int columns) {
      UNROLL for (int i = 0; i < rows; ++i)
        UNROLL for (int slot = 0; slot < SLOTS(columns); ++slot)
          flush(row, i * columns + slot * LANES + lane(), slot * LANES + lane() < columns,
                sum[i * SLOTS(columns) + slot]);
      __syncwarp();
    }
    INLINE void flush_all(float *row, const vf *gradient) {
    \(steps.accumulators.enumerated().map(flush).joined(separator: "\n"))
    }

    // Elements of an adjoint beyond the limit become zero, and so do those of particles that did not live.
    INLINE void cut(vf adj_state[S][T], const vi lived[T], vi truncated[T]) {
      EACH(i, S) {
        bool sound = !lived[t] || v_magnitude(adj_state[i][t]) <= \(literal(steps.rollout.adjointLimit));
        truncated[t] |= !sound;
        adj_state[i][t] = v_select(sound && lived[t], adj_state[i][t], 0.f);
      }
    }

    extern "C" __global__ void __launch_bounds__(LARGEST_BLOCK)
    bagel_gradient(const __grid_constant__ struct arguments arguments) {
      const struct arguments *a = &arguments;
      struct particles particles, *p = &particles;
      const int64_t tile = tile_index();
      const int horizon = (int)a->horizon, segment = (int)a->segment, segments = (horizon + segment - 1) / segment;
      const int row_length = KEPT_ROWS * T * W;
      float *const tape = a->tape + tile * segment * row_length + column();
      float *const checkpoints = a->checkpoints + tile * segments * S * T * W + column();
      const bool writes = WARPS == 1 || threadIdx.x < 32;
      vf gradient[ACCUMULATORS], adj_state[S][T], adj_next[S][T], adj_reward[TOTALS][T], seed[TOTALS];
      vi truncated[T], lived[T];
      UNROLL for (int i = 0; i < ACCUMULATORS; ++i) gradient[i] = 0.f;
      EACH(i, S) adj_state[i][t] = 0.f;
      EACH(i, 1) truncated[t] = 0;
      UNROLL for (int i = 0; i < TOTALS; ++i) seed[i] = __ldg(a->total_weights + i) * (1.f / (float)a->particles);
      start(a, p);
      // Pass 0 goes forward through all steps; pass i goes through the i-th last segment, again and back. One loop, so
      // that the step is in the code once: thrice, love took 11 s to compile and twice the instructions.
      for (int pass = 0; pass <= segments; ++pass) {
        const int from = pass == 0 ? 0 : (segments - pass) * segment;
        const int to = pass == 0 || from + segment > horizon ? horizon : from + segment;
        float *checkpoint = checkpoints + (int64_t)(pass == 0 ? 0 : segments - pass) * S * T * W;
        if (pass > 0 && segments > 1) EACH(i, S) p->state[i][t] = KEPT(checkpoint, i);
        // Going backwards, draw for the segments that come next too.
        if (pass > 0 && segments > 1 && segment <= LANES) draw(a, p, to - 1, true);
        float *row = tape;
        int place = 0;  // k modulo segment
        for (int k = from; k < (pass == 0 || segments > 1 ? to : from); ++k) {
          if (writes) EACH(i, S) KEPT(row, i) = p->state[i][t];
          if (pass == 0 && segments > 1 && place == 0) {
            if (writes) EACH(i, S) KEPT(checkpoint, i) = p->state[i][t];
            checkpoint += S * T * W;
          }
          vf next[S][T], reward[TOTALS][T];
          vi outside[T];
          EACH(i, 1) outside[t] = 0;
          draw(a, p, k, false);
          step_taped(a, p->active, p->state, p->goal, p->draws, outside, p->scratch, p->functions, next, reward,
                     row + S * T * W);
          if (pass == 0) {
            advance(p, next, reward, outside);
          } else {
            EACH(i, S) p->state[i][t] = v_select((float)k < p->alive_steps[t], next[i][t], p->state[i][t]);
          }
          ++place;
          row += row_length;
          if (place == segment) {
            place = 0;
            row = tape;
          }
        }
        team_sync();
    \(steps.hasTerminal ? terminal(steps) : "")    if (pass == 0) continue;
        row = tape + (to - from) * row_length;
        for (int k = to - 1; k >= from; --k) {
          row -= row_length;
          if (k > from)
            for (int i = threadIdx.x % 32 * 32; i < row_length; i += 1024) PREFETCH(row - column() - row_length + i);
          EACH(i, 1) lived[t] = p->active[t] && (float)k < p->alive_steps[t];
          EACH(i, TOTALS) adj_reward[i][t] = lived[t] ? seed[i] : 0.f;
          EACH(i, S) { adj_next[i][t] = adj_state[i][t]; p->state[i][t] = KEPT(row, i); }
          if (ADJOINT_DRAWS > 0) draw(a, p, k, true);
          vi outside[T];
          EACH(i, 1) outside[t] = 0;
          step_adjoint(a, p->active, p->state, p->goal, p->draws, outside, p->scratch, p->functions,
                       row + S * T * W, adj_next, adj_reward, lived, adj_state, gradient);
          cut(adj_state, lived, truncated);
        }
        team_sync();
      }
      store_results(a, p);
      UNROLL for (int t = 0; t < T; ++t)
        if (p->active[t] && is_first_of_team()) a->truncations[particle_of(tile, t)] = truncated[t] ? 1.f : 0.f;

      if (WARPS > 1) {
        if (threadIdx.x >= 32) return;
        float *row = a->gradients + blockIdx.x * P;
        for (int i = threadIdx.x; i < P; i += 32) row[i] = 0.f;
        __syncwarp();
        flush_all(row, gradient);
        return;
      }
      float *row = a->warp_gradients + tile * P;
      for (int i = threadIdx.x % 32; i < P; i += 32) row[i] = 0.f;
      __syncwarp();
      flush_all(row, gradient);
      __syncthreads();
      const float *first = a->warp_gradients + (tile - threadIdx.x / 32) * P;
      for (int i = threadIdx.x; i < P; i += blockDim.x) {
        float total = 0.f;
        for (int w = 0; w < blockDim.x / 32; ++w) total += first[w * P + i];
        a->gradients[blockIdx.x * P + i] = total;
      }
    }
    """
  }

  /// After the forward pass: what the last carry earns, and its adjoint for particles that got there.
  private static func terminal(_ steps: StepText) -> String {
    let adjoint = """
              vi outside[T];
              EACH(i, 1) { outside[t] = 0; lived[t] = p->active[t] && p->alive[t]; }
              EACH(i, TOTALS) adj_reward[i][t] = lived[t] ? seed[i] : 0.f;
              terminal_adjoint(a, p->active, p->state, p->goal, p->draws, outside, p->scratch, NULL, adj_reward, adj_state);
              cut(adj_state, lived, truncated);

      """
    return """
          if (pass == 0) {
              finish(a, p);
      \(steps.hasTerminalAdjoint ? adjoint : "")        }

      """
  }

  private static func flush(_ k: Int, _ accumulator: StepText.Accumulator) -> String {
    let start = "row + \(accumulator.target), gradient + ACCUMULATOR_\(k)"
    return switch accumulator.layout {
    case .whole(let count): "  flush_whole(\(start), \(count));"
    case .spread(let count): "  flush_rows(\(start), \(count), 1);"
    case .rows(let rows, let columns): "  flush_rows(\(start), \(rows), \(columns));"
    case .columns(let rows, let columns): "  flush_columns(\(start), \(rows), \(columns));"
    }
  }
}
