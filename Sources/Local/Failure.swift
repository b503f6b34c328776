/// A sentence and the exit code that goes with it.
package struct Failure: Error, CustomStringConvertible {
    package let description: String
    package let code: Int32

    package init(_ description: String, code: Int32 = 4) {
        self.description = description
        self.code = code
    }
}
