internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Measurement
internal import Missions

extension Constitution {
    func check(_ principle: Principle, _ context: ConstitutionContext) -> (Bool, String) {
        switch principle {
        case .reversible: Self.reversible(context)
        case .explained: Self.explained(context.mission)
        case .measured: Self.measured(context.trial)
        case .withinScope: Self.withinScope(context)
        case .handsOffGrace: handsOffGrace(context)
        case .nothingHidden: Self.nothingHidden(context.completeness)
        case .approvedByPeople: Self.approvedByPeople(context.execution)
        case .fresh: Self.fresh(context.execution)
        case .unchanged: Self.unchanged(context.execution)
        }
    }

    private static func reversible(_ context: ConstitutionContext) -> (Bool, String) {
        let change = context.mission.change
        switch change.promote {
        case .rerun:
            guard says(change.undo), says(change.effect) else {
                return (
                    false,
                    "A rerun needs change.undo, which takes it back, and change.effect, which tells whether it is in force."
                )
            }
            return (true, "Taken back by its undo command, whose outcome its effect command shows.")
        case .files:
            guard let base = context.base else { return (false, "There are no pre-images of the changed paths.") }
            let bare = context.changes.filter { change in
                switch base[change.path] {
                case .absent, .present: false
                case .movedUnderFork, nil: true
                }
            }
            guard bare.isEmpty else {
                return (
                    false,
                    "No pre-image is known of \(Words.some(bare.map { $0.path.display })): live changed under the test; test again."
                )
            }
            return (true, "Pre-images of all \(context.changes.count) changed paths are known.")
        }
    }

    private static func says(_ text: String?) -> Bool { text?.contains { !$0.isWhitespace } ?? false }

    private static func explained(_ mission: MissionFile) -> (Bool, String) {
        let missing = [
            ("title", mission.title), ("description", mission.description), ("rationale", mission.rationale),
        ]
        .filter { !says($0.1) }.map(\.0)
        return missing.isEmpty
            ? (true, "Title, description and rationale are given.")
            : (false, "The mission's \(Words.list(missing)) says nothing; write it.")
    }

    private static func measured(_ trial: TrialResult?) -> (Bool, String) {
        guard let trial else { return (false, "There was no trial.") }
        let demanded = trial.kpis.filter { $0.role != .shown }
        let unmeasured = demanded.filter { !$0.measured }
        guard !demanded.isEmpty else { return (false, "The trial had neither a goal nor a guardrail.") }
        guard unmeasured.isEmpty else {
            let reasons = unmeasured.map { "\($0.kpi)" + ($0.reason.map { " (\($0))" } ?? "") }
            return (false, "Not measured: \(Words.list(reasons)).")
        }
        let kept = trial.blocks - trial.discarded
        let onceOnly = demanded.allSatisfy { $0.kpi.scale == .once }
        guard kept > 0 || onceOnly else { return (false, "No block of the trial counts.") }
        return (true, "\(demanded.count) KPIs were measured against an unchanged fork in \(kept) blocks.")
    }

    /// The scope that a mission declares, or that its kind of change implies.
    static func scope(_ change: ChangeSpecification) -> [String]? {
        if !change.touches.isEmpty { return change.touches }
        switch change.action {
        case .run: return nil
        case .files(let files): return files.map(\.path)
        case .patch(let patch): return [patch.directory]
        case .git(let git): return [git.directory]
        }
    }

    private static func withinScope(_ context: ConstitutionContext) -> (Bool, String) {
        guard let scope = scope(context.mission.change)?.map({ BytePath($0) }) else {
            return (
                true,
                "No scope was declared (change.touches), so nothing can be outside of it; \(context.changes.count) paths were changed."
            )
        }
        let outside = context.changes.filter { change in !scope.contains { change.path.isInside($0) } }
            // A directory above the scope whose times or listing alone changed is no entry of a change set, but one that was made
            // on the way to it is.
            .filter { change in
                !(change.kind == .create && change.type == .directory && scope.contains { $0.isInside(change.path) })
            }
        guard outside.isEmpty else {
            return (
                false,
                "Outside of the declared scope: \(Words.some(outside.map { $0.path.display })). Declare it in change.touches, or don't touch it."
            )
        }
        return (true, "All \(context.changes.count) changed paths lie within \(Words.list(scope.map(\.display))).")
    }

    private func handsOffGrace(_ context: ConstitutionContext) -> (Bool, String) {
        let own = context.gracePaths.map { BytePath($0) }
        guard !own.isEmpty, own.allSatisfy({ $0.isAbsolute && !$0.components.isEmpty }) else {
            return (
                false, "The agent didn't say where Grace's own files lie, so nobody can tell whether they were touched."
            )
        }
        for change in context.changes {
            if let hit = own.first(where: { change.path.isInside($0) }) {
                return (false, "\(change.path.display) belongs to Grace (\(hit.display)).")
            }
            let goes = change.kind == .delete || change.kind == .replace
            if goes, let hit = own.first(where: { $0.isInside(change.path) }) {
                return (
                    false,
                    "\(change.path.display) is gone or another thing, and \(hit.display), Grace's own, lies below it."
                )
            }
        }
        if let hit = ChangedPaths(context.changes, base: context.base).first(in: protectedPaths) {
            return (false, "\(hit) is protected by this host's constitution.")
        }
        // What runs on live itself is not confined to the change set that the fork showed.
        let mission = context.mission
        var commands = mission.live.apply.run.map { ("live.apply.run", $0) }
        if mission.change.promote == .rerun, case .run(let command) = mission.change.action {
            commands.append(("change.run", command))
        }
        if let undo = mission.change.undo { commands.append(("change.undo", undo)) }
        if let effect = mission.change.effect { commands.append(("change.effect", effect)) }
        for (key, command) in commands {
            if let hit = context.gracePaths.first(where: { Self.names($0, in: command) }) {
                return (false, "\(key) runs on live and names \(hit), which belongs to Grace.")
            }
        }
        return (true, "None of Grace's own or protected paths is touched.")
    }

    /// Whether a command names a path or something below it: `/usr/bin/grace` is not named by `/usr/bin/graceful`.
    private static func names(_ path: String, in command: String) -> Bool {
        let bytes = Array(command.utf8)
        let wanted = Array(path.utf8)
        guard bytes.count >= wanted.count else { return false }
        for start in 0...(bytes.count - wanted.count) where bytes[start..<(start + wanted.count)].elementsEqual(wanted)
        {
            guard start + wanted.count < bytes.count else { return true }
            let next = bytes[start + wanted.count]
            let goesOn =
                (48...57).contains(next) || (65...90).contains(next) || (97...122).contains(next)
                || "_-.".utf8.contains(next)
            if !goesOn { return true }
        }
        return false
    }

    private static func nothingHidden(_ completeness: EvidenceCompleteness) -> (Bool, String) {
        var missing: [String] = []
        var notes: [String] = []
        for (name, record) in [
            ("commands", completeness.commands), ("denied calls", completeness.deniedCalls),
            ("network use", completeness.network),
        ] {
            switch record {
            case .recorded: break
            case .notPossible(let reason): notes.append("\(name): \(reason)")
            case .missing(let reason): missing.append("\(name): \(reason)")
            }
        }
        guard missing.isEmpty else { return (false, "The evidence lacks \(Words.list(missing)).") }
        return (
            true,
            notes.isEmpty
                ? "Commands, denied calls and network use are in the evidence."
                : "Nothing is left out; \(Words.list(notes))."
        )
    }

    private static let notYet = "This is known only at the moment of execution."

    private static func approvedByPeople(_ facts: ExecutionFacts?) -> (Bool, String) {
        guard let facts else { return (false, notYet) }
        let people = facts.approvers.filter { says($0) }
        let needed = max(1, facts.approvalsNeeded)
        guard people.count >= needed else { return (false, "\(people.count) of \(needed) people needed approved it.") }
        return (true, "Approved by \(Words.list(people.sorted())).")
    }

    private static func fresh(_ facts: ExecutionFacts?) -> (Bool, String) {
        guard let facts else { return (false, notYet) }
        return facts.now < facts.expires
            ? (true, "The approval has not expired.")
            : (false, "The approval has expired; people have to approve again.")
    }

    private static func unchanged(_ facts: ExecutionFacts?) -> (Bool, String) {
        guard let facts else { return (false, notYet) }
        guard !facts.pairs.isEmpty else { return (false, "Nothing was compared with what was tested.") }
        let other = facts.pairs.filter { $0.tested != $0.now }
        guard other.isEmpty else {
            return (
                false,
                "No longer what was tested: \(Words.list(other.map { "\($0.name) (was \($0.tested.short), is \($0.now.short))" }))."
            )
        }
        guard facts.conflicts.isEmpty else {
            return (false, "Live moved on since the test: \(Words.some(facts.conflicts)).")
        }
        return (true, "The \(Words.list(facts.pairs.map(\.name))) and live are what was tested.")
    }
}
