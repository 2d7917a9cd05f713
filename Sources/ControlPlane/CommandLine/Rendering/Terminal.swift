import Wire

/// Text from elsewhere on its way to a terminal.
enum Terminal {
    /// One line without anything that could move the cursor or hide what follows.
    static func line(_ text: String) -> String {
        guard !Text.isPrintable(text) else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            let character = Character(scalar)
            shown.append(Text.isPrintable(String(character)) ? character : "?")
        }
        return shown
    }

    /// The columns that a text fills, wide characters of East Asian scripts counted twice.
    static func width(_ text: String) -> Int {
        text.reduce(0) { $0 + width($1) }
    }

    private static func width(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first?.value else { return 0 }
        return switch first {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            2
        default: 1
        }
    }
}
