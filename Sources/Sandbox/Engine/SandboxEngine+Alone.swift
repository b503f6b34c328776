internal import Linux

extension SandboxEngine {
    /// Runs `body` and everything that it awaits on the calling thread alone, which then waits for the sandboxes too, and blocks until
    /// it has returned. For a program that starts one sandbox and ends: the threads of Swift's pool, and of the engine, cost it more
    /// than they give.
    ///
    /// - Throws: What `body` throws; ``SandboxError`` where the process has started a sandbox before, whose thread does the waiting.
    public static func alone<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
        guard let watcher = try Watcher.hosted() else {
            throw SandboxError.invalid(
                "SandboxEngine.alone comes before the first sandbox of a process; in this one a thread waits for them already."
            )
        }
        let bell = try StopFlag()
        try watcher.watch(bell.descriptor) {
            bell.lower()
            return .again
        }
        return try CallerExecutor(wait: watcher.turn, wake: bell.raise).run(body)
    }
}
