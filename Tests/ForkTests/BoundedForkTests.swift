import FoundationEssentials
import Glibc
import Linux
import Sandbox
import Testing

@testable import Fork

/// What a change writes can't fill live's disk, is promoted from where it lies, and nothing of the bound is left.
@Suite(.enabled(if: geteuid() == 0)) struct BoundedForkTests {
    @Test func theLayersOfTheChangeAloneAreBoundedAndOutliveAStartOfTheHost() async throws {
        try await Scene.with { scene in
            let fork = try scene.store.create(id: "bounded", disk: DiskLimit(bytes: 32 << 20))
            defer { try? scene.store.discard(id: "bounded") }
            let place = try #require(fork.bounded)
            let applied = try #require(try fork.overlays(for: .apply).first)
            #expect(applied.upper.hasPrefix(place.directory + "/"))
            let arm = try #require(try fork.overlays(for: .baseline(instance: "1")).first)
            #expect(!arm.upper.hasPrefix(place.directory + "/"))
            #expect(try Files.fileSystem(applied.upper).size <= 32 << 20)

            try Files.writeAtomically(applied.upper + "/new", Data("new".utf8), mode: 0o644)
            if place.means == .image { try Mounts.detach(place.directory) }  // as a start of the host does
            let again = try scene.store.open(id: "bounded")
            let changes = try again.changeSet(blobs: scene.blobs)
            #expect(changes.changes.map(\.path.display) == [scene.live + "/new"])
            let candidate = try #require(try again.overlays(for: .candidate(instance: "1")).first)
            #expect(candidate.lowers.first == applied.upper)

            try scene.store.discard(id: "bounded")
            #expect(try !MountInfo.read().contains { ($0.mountPoint.string ?? "").hasPrefix(scene.directory) })
            #expect(try scene.store.list().isEmpty)
        }
    }

    @Test func aForkKilledWhileItWasMadeIsFoundAndDiscarded() async throws {
        try await Scene.with { scene in
            let fork = try scene.store.create(id: "torn", disk: DiskLimit(bytes: 32 << 20))
            defer { try? scene.store.discard(id: "torn") }
            try Files.unlink(fork.directory + "/fork.json")
            let leftovers = ForkLeftovers(root: scene.store.root)
            if fork.bounded?.means == .image { #expect(leftovers.find().map(\.kind) == [.mount]) }
            #expect(Leftovers([leftovers]).clean().allSatisfy { $0.problem == nil })
            #expect(leftovers.find().isEmpty)
            try scene.store.discard(id: "torn")
            #expect(try scene.store.list().isEmpty)
        }
    }
}
