internal import Glibc
internal import Linux

/// A word every second, on a terminal alone, about work that takes longer than that.
package final class TryProgress: @unchecked Sendable {
    private let task: Task<Void, Never>?

    /// Begins. `counted` is a directory of blobs: how many are in it is how far the work is.
    package init(_ what: String, _ counted: String) {
        guard isatty(STDERR_FILENO) == 1 else {
            task = nil
            return
        }
        let begin = ContinuousClock.now
        task = Task.detached {
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                let count = ((try? Files.entries(counted)) ?? []).reduce(0) { sum, name in
                    sum + ((try? Files.entries("\(counted)/\(String(decoding: name, as: UTF8.self))").count) ?? 0)
                }
                let seconds = Int((ContinuousClock.now - begin) / .seconds(1))
                FileHandleless.write("\r\u{1b}[Kgrace: \(what): \(count) contents, \(seconds) s", to: STDERR_FILENO)
            }
        }
    }

    package func stop() {
        guard let task else { return }
        task.cancel()
        FileHandleless.write("\r\u{1b}[K", to: STDERR_FILENO)
    }
}
