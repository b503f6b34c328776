internal import Linux

/// What a killed agent left among forks: work directories of sandboxes that are no more, and the mounted image of a fork that
/// was being made or thrown away. Forks themselves are the agent's to keep or discard.
public struct ForkLeftovers: LeftoverSource {
    private let root: String

    /// - Parameter root: Where forks lie, `STATE/forks`.
    public init(root: String) {
        self.root = root
    }

    public func find() -> [Leftover] {
        var result: [Leftover] = []
        for fork in ScratchLeftovers.names(root) {
            let home = "\(root)/\(fork)"
            if (try? Files.status("\(home)/fork.json")) ?? nil == nil {
                for place in ScratchLeftovers.mounts(below: home) {
                    result.append(
                        Leftover(
                            kind: .mount, place: place, detail: "The image of a fork that has no record (any more)."))
                }
            }
            result += work(home, depth: 0)
        }
        return result
    }

    /// `.grace-work-PID-START-…`, see `OverlayPlanner`: beside a layer, at most four levels down.
    private func work(_ directory: String, depth: Int) -> [Leftover] {
        var result: [Leftover] = []
        for name in ScratchLeftovers.names(directory) {
            let path = "\(directory)/\(name)"
            if name.hasPrefix(Self.prefix) {
                let rest = String(name.dropFirst(Self.prefix.count))
                if Scratch.isAbandoned(rest) {
                    result.append(
                        Leftover(
                            kind: .scratch, place: path,
                            detail: "A work directory of an agent, process \(Scratch.owner(rest)), that is no more."))
                }
            } else if depth < 3, !["upper", "work", "snapshot"].contains(name),
                let status = try? Files.status(path), status.isDirectory
            {
                result += work(path, depth: depth + 1)
            }
        }
        return result
    }

    private static let prefix = ".grace-work-"

    public func remove(_ leftover: Leftover) throws {
        switch leftover.kind {
        case .mount: try Mounts.detach(leftover.place)
        default: try Scratch.remove(leftover.place)
        }
    }
}
