import Documents
import FoundationEssentials
import Testing

@Suite("Canonical JSON, RFC 8785")
struct CanonicalJSONTests {
    @Test(
        "numbers are written as in RFC 8785's appendix B",
        arguments: [
            (UInt64(0x0000_0000_0000_0000), "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"), (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"), (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"), (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"), (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"), (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"), (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"), (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"), (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ])
    func numbers(bits: UInt64, text: String) {
        #expect(JSON.number(Double(bitPattern: bits)).canonicalText == text)
    }

    @Test("the example of RFC 8785, section 3.2.2, gives the bytes of section 3.2.4")
    func example() throws {
        let source = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        #expect(try JSON(parsing: Data(source.utf8)).canonicalText == expected)
    }

    @Test("keys are sorted by UTF-16 code units, as in section 3.2.3")
    func sorting() throws {
        let source =
            #"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#
        let expected =
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        #expect(try JSON(parsing: Data(source.utf8)).canonicalText == expected)
    }

    @Test(
        "a key that occurs twice is refused, also when Unicode merely calls the two equivalent",
        arguments: [
            #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, "{\"\u{e9}\":1,\"e\u{301}\":2}", #"{"x":[{"b":1,"b":1}]}"#,
        ])
    func twice(text: String) {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: Data(text.utf8)) }
        #expect(error?.description.contains("more than once") == true)
    }

    @Test("what was parsed from canonical text is the same text again, whatever the value")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 8785)
        for _ in 0..<500 {
            let value = random.json(depth: 3)
            let once = value.canonical
            let again = try JSON(parsing: once)
            #expect(again.canonical == once, "seed 8785: \(String(decoding: once, as: UTF8.self))")
        }
    }

    @Test("doubles survive their canonical text")
    func doubles() throws {
        var random = SeededGenerator(seed: 64)
        for _ in 0..<5000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            #expect(Double(JSON.number(value).canonicalText) == value, "seed 64: bits \(value.bitPattern)")
        }
    }

    @Test("integers of 64 bits are exact while parsed and written as doubles beyond 2^53")
    func integers() throws {
        let parsed = try JSON(parsing: Data("[9007199254740992,9223372036854775807,-9223372036854775808,1.0,-0]".utf8))
        #expect(parsed[0]?.integer == 9_007_199_254_740_992)
        #expect(parsed[1]?.integer == .max)
        #expect(parsed[2]?.integer == .min)
        #expect(parsed.canonicalText == "[9007199254740992,9223372036854776000,-9223372036854776000,1,0]")
        #expect(JSON.string("9223372036854775807").integer == .max)
    }

    @Test("numbers that JSON has not become null instead of text that no parser takes")
    func notNumbers() {
        #expect(JSON.array([.number(.nan), .number(.infinity)]).canonicalText == "[null,null]")
    }

    @Test(
        "text that is not JSON is refused with a sentence",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "nul", "\"\u{1}\"", "[1] 2", "{\"a\" 1}", "+1", "01", "'a'", "\"\\ud800\"",
            "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\u+041\"", "\"\\x\"", "[1", "1.", "1e", "-", "1e999", "nulll",
            "\u{feff}1",
        ])
    func malformed(text: String) {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: Data(text.utf8)) }
        #expect(error?.description.contains("not valid JSON") == true)
    }

    @Test("deep nesting is refused, not a crash")
    func deep() {
        let text = String(repeating: "[", count: 200_000) + String(repeating: "]", count: 200_000)
        #expect(throws: JSONError.self) { try JSON(parsing: Data(text.utf8)) }
    }

    struct Sample: Codable, Equatable {
        var at: Date
        var digest: Digest
        var ratio: Double
        var missing: Int?
    }

    @Test("values keep their meaning through JSON; dates have milliseconds")
    func codable() throws {
        let sample = Sample(
            at: Date(timeIntervalSince1970: 1_763_928_724.125), digest: Digest(of: Data()), ratio: 0.1, missing: nil)
        let json = try JSON(encoding: sample)
        #expect(json["at"]?.string == "2025-11-23T20:12:04.125Z")
        #expect(json["ratio"]?.number == 0.1)
        #expect(try json.decode(Sample.self) == sample)
        #expect(try JSON(parsing: json.canonical).decode(Sample.self) == sample)
    }

    @Test("a document of another form is refused with the key's path")
    func wrongForm() throws {
        let json: JSON = ["at": "yesterday", "digest": "00", "ratio": 1]
        let error = #expect(throws: JSONError.self) { try json.decode(Sample.self) }
        #expect(error?.description.contains("at") == true)
        let upper: JSON = [
            "at": "2025-11-23T20:12:04.125Z", "digest": .string(Digest(of: Data()).hex.uppercased()), "ratio": 1,
        ]
        let second = #expect(throws: JSONError.self) { try upper.decode(Sample.self) }
        #expect(second?.description.contains("64 lower-case") == true)
    }
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func text() -> String {
        let scalars: [Unicode.Scalar] = [
            "a", "b", "é", "\u{301}", "\"", "\\", "\n", "\u{1}", "€", "😀", "\u{fb33}", "/", " ",
        ]
        return String(
            String.UnicodeScalarView(
                (0..<Int.random(in: 0...6, using: &self)).map { _ in scalars.randomElement(using: &self) ?? "x" }))
    }

    mutating func json(depth: Int) -> JSON {
        switch Int.random(in: 0...(depth > 0 ? 7 : 5), using: &self) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self))
        case 2: return .integer(Int64.random(in: -1000...1000, using: &self))
        case 3: return .number(Double.random(in: -1e6...1e6, using: &self))
        case 4, 5: return .string(text())
        case 6: return .array((0..<3).map { _ in json(depth: depth - 1) })
        default:
            var members: [String: JSON] = [:]
            for _ in 0..<3 { members[text()] = json(depth: depth - 1) }
            return .object(members)
        }
    }
}
