internal import Linux
internal import Synchronization

/// Samples a figure every few milliseconds on a thread of its own and keeps its peak.
///
/// The kernel's own peak of a cgroup counts page cache and may peg at the limit; the peak of *anonymous* memory has
/// to be sampled.
public final class MemoryPeakSampler: Sendable {
    private struct State {
        var peak: Int64?
        var samples = 0
        var failures = 0
    }

    private let state = Mutex(State())
    private let stopped = Atomic<Bool>(false)
    private let ended = Atomic<Bool>(false)

    /// Starts sampling.
    /// - Parameters:
    ///   - interval: seconds between samples, 0.005 to 0.010 for memory; never less than 0.001.
    ///   - sample: reads the figure; `nil` when it can't be read now (such samples are counted, not zero).
    /// - Throws: `SystemError` when no thread can be started.
    public init(interval: Double = 0.005, sample: @escaping @Sendable () -> Int64?) throws {
        let step = Monotonic.nanoseconds(max(0.001, interval))
        try Threads.start("peak-sampler") { [self] in
            var due = Monotonic.now
            repeat {
                take(sample())
                // After a stall the missed instants are skipped, not caught up with.
                due = max(due + step, Monotonic.now)
            } while Monotonic.sleep(until: due, unless: { stopped.load(ordering: .acquiring) })
            take(sample())
            ended.store(true, ordering: .releasing)
        }
    }

    /// Ends sampling, after one last sample.
    /// - Returns: the largest value seen, or `nil` when no sample could be read; and how many were read.
    public func stop() async -> (peak: Int64?, samples: Int) {
        stopped.store(true, ordering: .releasing)
        while !ended.load(ordering: .acquiring) { try? await Task.sleep(for: .milliseconds(1)) }
        return state.withLock { ($0.peak, $0.samples) }
    }

    private func take(_ value: Int64?) {
        state.withLock {
            guard let value else {
                $0.failures += 1
                return
            }
            $0.samples += 1
            $0.peak = max($0.peak ?? value, value)
        }
    }
}
