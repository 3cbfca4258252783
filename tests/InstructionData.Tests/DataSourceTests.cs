#pragma warning disable RCS0056 // records are lines, as in the files that people have
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text;
using FedKSeed.InstructionData.Forms;
using FedKSeed.Tests;
using ZstdSharp;

namespace FedKSeed.InstructionData.Tests;

/// <summary>Files as people have them: encodings, tables, compression.</summary>
public sealed class DataSourceTests : IDisposable
{
    private const string Records = "{\"instruction\": \"Say é😀\", \"output\": \"a\"}\n{\"instruction\": \"q\", \"output\": \"b\"}\n";

    private static readonly string[] Said = ["Say é😀 → a", "q → b"];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> Texts => new()
    {
        { ".jsonl", Records },
        { ".json", "[\n" + Records.Replace("}\n{", "},\n{", StringComparison.Ordinal) + "]" },
        { ".csv", "instruction,output\r\nSay é😀,a\r\n\"q\",b\r\n" },
        { ".csv", "instruction;output\nSay é😀;a\nq;b" },
        { ".tsv", "instruction\toutput\nSay é😀\ta\nq\tb\n" },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void Every_kind_of_text_is_read_in_every_encoding_with_a_mark_and_compressed_or_not(string extension, string text)
    {
        Encoding[] encodings = [new UTF8Encoding(false), Encoding.UTF8, Encoding.Unicode, Encoding.BigEndianUnicode];
        foreach (var encoding in encodings)
        {
            byte[] bytes = [.. encoding.GetPreamble(), .. encoding.GetBytes(text)];
            foreach (var path in new[] { Plain(extension, bytes), Gzip(extension, bytes), Zstandard(extension, bytes) })
                Assert.Equal(Said, DataFile.Load(path).Select(example => $"{example.Question} → {example.Output}"));
        }
    }

    [Fact]
    public void A_long_text_in_UTF_16_is_the_same_text()
    {
        // Characters of one to four bytes, so that pairs fall onto the ends of what is read at once.
        var output = string.Concat(Enumerable.Range(0, 30_000).Select(i => (i % 4) switch { 0 => "a", 1 => "é", 2 => "€", _ => "😀" }));
        var path = Plain(".jsonl", [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes($$"""{"instruction": "q", "output": "{{output}}"}""")]);
        Assert.Equal(output, DataFile.Load(path)[0].Output);
    }

    public static TheoryData<string, string[]> Cases => new()
    {
        { "lone.jsonl", [":9: \"instruction\" holds half a character"] },
        { "latin1.jsonl", [":1: \"instruction\" is not UTF-8 text", "iconv -f WINDOWS-1252 -t UTF-8", ":8: "] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_not_text_is_a_fault_with_file_line_and_field(string name, string[] reasons)
    {
        var path = Case(name);
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(path)).Message;
        Assert.All(reasons, reason => Assert.Contains(path + (reason[0] == ':' ? reason : ""), message, StringComparison.Ordinal));
        Assert.All(reasons, reason => Assert.Contains(reason, message, StringComparison.Ordinal));
    }

    [Fact]
    public void Half_a_character_is_found_in_names_in_lists_in_documents_and_in_UTF_16()
    {
        Refused(_folder.Write("name.jsonl", """{"instruction": "a", "output": "b", "\ud83d": 1}"""), ":1: the name of a field");
        Refused(
            _folder.Write("deep.json", """[{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\udc00"}]}]"""),
            ":1: \"messages\"[1].content holds half a character");
        var text = Encoding.Unicode.GetBytes("""{"instruction": "a", "output": "bc"}""");
        text[^6] = 0x3D; // the b becomes U+D83D
        text[^5] = 0xD8;
        Refused(Plain(".jsonl", [.. Encoding.Unicode.GetPreamble(), .. text]), ":1: \"output\" holds half a character");
    }

    [Fact]
    public void A_whole_character_that_is_escaped_is_none_of_these() =>
        Assert.Equal("😀", DataFile.Load(_folder.Write("whole.jsonl", """{"instruction": "a", "output": "\ud83d\ude00"}"""))[0].Output);

    [Fact]
    public void Inputs_that_once_failed_are_read()
    {
        Assert.Equal("q0 → a0", Said0("utf16.json"));
        Assert.Equal("u → a", Said0("openai-parts.jsonl"));
        Assert.Equal("hi → ok", Said0("sharegpt-rolecontent.jsonl"));

        static string Said0(string name) => DataFile.Load(Case(name))[0] is var first ? $"{first.Question} → {first.Output}" : "";
    }

    [Fact]
    public void A_cell_holds_commas_line_feeds_and_quotes_and_a_line_is_where_its_row_begins()
    {
        var path = _folder.Write("cells.csv", "instruction,output\n\"a, \"\"b\"\"\nc\",x\"y\n\n1\n2,3,4\n");
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(path)).Message;
        Assert.Equal(
            [$"{path}:5: the row has 1 cells, the first row names 2 columns.", $"{path}:6: the row has 3 cells, the first row names 2 columns."],
            message.Split(Environment.NewLine));
        var example = Assert.IsType<InstructionExample>(DataFile.Load(_folder.Write("good.csv", "instruction,output\n\"a, \"\"b\"\"\nc\",x\"y\n"))[0]);
        Assert.Equal(("a, \"b\"\nc", "x\"y"), (example.Instruction, example.Output));
    }

    [Theory]
    [InlineData("instruction,output\na,b\n\"c,d\ne,f\n", ":3: a cell in quotes does not end")]
    [InlineData("instruction,,output\na,b,c\n", ":1: the first row names the columns, and a name in it is empty")]
    [InlineData("output,output\na,b\n", ":1: the first row names the columns, and two names in it are the same")]
    [InlineData("instruction,output\n", ": there is no example in it")]
    [InlineData("a,b\n1,2\n", ":2: the fields a, b are of no known form")]
    public void What_is_wrong_with_a_table_is_named(string text, string reason) => Refused(_folder.Write("table.csv", text), reason);

    [Fact]
    public void A_cell_that_is_not_UTF_8_is_named_with_its_column() =>
        Refused(Plain(".csv", [.. "instruction,output\na,b\ncaf"u8, 0xE9, .. ",x\n"u8]), ":3: \"instruction\" is not UTF-8 text");

    [Fact]
    public void A_conversation_and_answers_lie_in_a_cell_as_JSON()
    {
        var chat = _folder.Write("chat.csv", "messages\n\"[{\"\"role\"\": \"\"user\"\", \"\"content\"\": \"\"Hi\"\"}, {\"\"role\"\": \"\"assistant\"\", \"\"content\"\": \"\"Hello\"\"}]\"\n");
        Assert.Equal(new ChatTurn("Hi", "Hello"), Assert.Single(Assert.IsType<ChatExample>(DataFile.Load(chat)[0]).Turns));
        var squad = _folder.Write("squad.tsv", "question\tcontext\tanswers\nWho?\tAnn is here.\t\"{\"\"text\"\": [\"\"Ann\"\"]}\"\n");
        Assert.Equal("Ann", DataFile.Load(squad)[0].Output);
    }

    [Theory]
    [InlineData(".jsonl.gz")]
    [InlineData(".csv.zst")]
    [InlineData(".jsonl.zst")]
    public void What_is_not_compressed_as_its_name_says_is_named(string extension) =>
        Refused(Plain(extension, Encoding.UTF8.GetBytes(Records)), extension + ": ");

    [Fact]
    public void A_torn_compressed_file_is_a_fault_and_not_a_shorter_file()
    {
        var text = Encoding.UTF8.GetBytes("instruction,output\n" + string.Concat(Enumerable.Range(0, 5000).Select(i => $"{i * 7919 % 10007},{i}\n")));
        foreach (var whole in new[] { Gzip(".csv", text), Zstandard(".csv", text) })
        {
            var bytes = File.ReadAllBytes(whole);
            var torn = Path.Combine(_folder.Path, "torn.csv" + Path.GetExtension(whole));
            foreach (var length in new[] { bytes.Length / 2, bytes.Length - 1 })
            {
                File.WriteAllBytes(torn, bytes[..length]);
                Refused(torn, "");
            }
        }
    }

    [Fact]
    public void A_list_is_read_piece_by_piece_and_knows_its_lines()
    {
        var records = Enumerable.Range(0, 3000).Select(i => $$"""{"prompt": "{{new string('x', i)}}", "completion": "{{i}}"}""");
        var path = _folder.Write("list.json", "[\n" + string.Join(",\n", records) + ",\n{\"prompt\": 1, \"completion\": \"\"}\n]\n");
        Refused(path, ":3002: \"prompt\" must be a string");
        Refused(_folder.Write("gap.json", "[\n{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\"}]"), ":3: a comma or ] is expected, not '{'");
        Refused(_folder.Write("open.json", "[\n{\"prompt\": \"a\", \"completion\": \"b\"}\n"), ":3: the file ends within the list");
    }

    public void Dispose() => _folder.Dispose();

    private static void Refused(string path, string reason)
    {
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(path)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    private string Plain(string extension, byte[] bytes)
    {
        var path = Path.Combine(_folder.Path, "data" + extension);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private string Gzip(string extension, byte[] bytes)
    {
        var path = Path.Combine(_folder.Path, "data" + extension + ".gz");
        using GZipStream stream = new(File.Create(path), CompressionLevel.Fastest);
        stream.Write(bytes);
        return path;
    }

    private string Zstandard(string extension, byte[] bytes)
    {
        var path = Path.Combine(_folder.Path, "data" + extension + ".zst");
        using CompressionStream stream = new(File.Create(path), leaveOpen: false);
        stream.Write(bytes);
        return path;
    }

    private static string Case(string name, [CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "Cases", name);
}
