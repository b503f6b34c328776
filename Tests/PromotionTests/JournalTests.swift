import Documents
import Fork
import FoundationEssentials
import Linux
import Missions
import Testing

@testable import Promotion

struct JournalTests {
    @Test("a journal written a step at a time is the one that its value gives", arguments: [false, true])
    func pieces(applies: Bool) throws {
        let steps = (0..<3).map { number in
            PromotionStep(
                encodedPath: BytePath("/a/\(number)\n").encoded, action: number == 1 ? .create : .exchange, parent: 0,
                oldInode: number == 1 ? nil : "18446744073709551615", oldModified: "-5", oldSize: nil, changes: [number]
            )
        }
        let journal = PromotionJournal(
            id: "m-1", tag: "00ff", root: "/r\u{e9}\"", changeSet: Digest(of: Data("a".utf8)),
            base: Digest(of: Data("b".utf8)), steps: steps,
            parents: [
                ParentDirectory(encodedPath: BytePath("/a").encoded, modified: "7", changesNames: true, inode: "3")
            ],
            mounts: applies ? [BytePath("/a").encoded] : nil,
            apply: applies ? LiveApply(reload: ["x.service"], restart: [], run: ["echo \"y\""]) : nil)
        var written = Data()
        try journal.forEachPiece { written.append($0) }
        #expect(try written == JSON(encoding: journal).canonical)
    }
}
