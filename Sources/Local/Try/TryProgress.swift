internal import Glibc

/// A word every second, on a terminal alone, about work that takes longer than that.
package final class TryProgress: @unchecked Sendable {
    private let task: Task<Void, Never>?

    /// Begins. `counted` says how many contents have been read.
    package init(_ what: String, _ counted: (@Sendable () -> Int)? = nil) {
        guard isatty(STDERR_FILENO) == 1 else {
            task = nil
            return
        }
        let begin = ContinuousClock.now
        task = Task.detached {
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                let count = counted.map { "\($0()) contents, " } ?? ""
                let seconds = Int((ContinuousClock.now - begin) / .seconds(1))
                FileHandleless.write("\r\u{1b}[Kgrace: \(what): \(count)\(seconds) s", to: STDERR_FILENO)
            }
        }
    }

    package func stop() {
        guard let task else { return }
        task.cancel()
        FileHandleless.write("\r\u{1b}[K", to: STDERR_FILENO)
    }
}
