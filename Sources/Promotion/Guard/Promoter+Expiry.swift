internal import Documents
internal import Linux

extension Promoter {
    /// What happens when nobody confirmed the promotion in time: it is taken back, or, where the mission declares a rollback
    /// harmful, stays as it is and is frozen until a person decides.
    ///
    /// - Returns: `.frozen` without conflicts where it stays on purpose.
    /// - Throws: As ``rollback(id:)``.
    public func expire(id: String) async throws -> RollbackResult {
        guard try store.read(Deadman.self, JournalStore.deadman, of: id)?.keeps ?? false else {
            return try await rollback(id: id)
        }
        try keep(id: id, reason: "Nobody confirmed it in time, and the mission declares a rollback harmful")
        return .frozen([])
    }

    /// Leaves live as it is and disarms the rollback: a person decides what becomes of it, and can still take it back.
    ///
    /// - Throws: ``PromotionError/outOfOrder(id:phase:wanted:)`` where it is not under watch.
    public func keep(id: String, reason: String) throws {
        let lock = try store.lock()
        defer { lock.close() }
        let record = try store.knownPhase(of: id)
        guard record.phase == .promoted || record.phase == .committed else {
            throw PromotionError.outOfOrder(id: id, phase: record.phase, wanted: "kept")
        }
        try setPhase(.frozen, of: id) {
            $0.reason = reason
            $0.isWhole = true
        }
        recordFact("promotion.frozen", ["id": .string(id)])
    }
}
