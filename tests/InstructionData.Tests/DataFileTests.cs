#pragma warning disable RCS0056 // records are lines, as in the files that people have
using System.Text;
using System.Text.Json;
using FedKSeed.InstructionData.Forms;
using FedKSeed.InstructionData.Sources;
using FedKSeed.Tests;
using Parquet;
using Parquet.Schema;
using Parquet.Serialization;

namespace FedKSeed.InstructionData.Tests;

public sealed class DataFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string, string> Forms => new()
    {
        { """{"instruction": "Add", "input": "1 2", "output": "3"}""", "Add 1 2 → 3", "alpaca" },
        { """{"instruction": "Greet", "input": null, "output": "hello"}""", "Greet → hello", "alpaca" },
        {
            """{"instruction": "Who?", "context": "Ann is here.", "response": "Ann", "category": "closed_qa"}""",
            "Who? Ann is here. → Ann",
            "dolly" },
        { """{"prompt": "Once upon", "completion": " a time"}""", "Once upon →  a time", "completion" },
        { """{"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}""", "Hi → Hello", "messages" },
        {
            """{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}""",
            "Hi → Hello",
            "messages" },
        {
            """{"task_name": "t", "definition": "Negate.", "inputs": "yes", "targets": "no"}""",
            "Negate. yes → no",
            "natural-instructions" },
        { """{"question": "Who?", "answer": "Ann"}""", "Who? → Ann", "question-answer" },
        { """{"question": "Who?", "context": "Ann is here.", "answer": "Ann"}""", "Who? Ann is here. → Ann", "question-answer" },
        { """{"id": "1", "system_prompt": "", "question": "Who?", "response": "Ann"}""", "Who? → Ann", "question-answer" },
        { """{"prompt": "Who?", "response": "Ann"}""", "Who? → Ann", "prompt-response" },
        { """{"input": "yes", "output": "no"}""", "yes → no", "input-output" },
        { """{"conversations": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}""", "Hi → Hello", "messages" },
        { """{"messages": [{"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, {"role": "assistant", "content": "Hello"}]}""", "Hi → Hello", "messages" },
        { """{"prompt": "Who?", "chosen": "Ann", "rejected": "Bob"}""", "Who? → Ann", "dpo" },
        { """{"system": "Be kind.", "question": "Who?", "chosen": "Ann", "rejected": "Bob"}""", "Who? → Ann", "dpo" },
        { """{"prompt": "Who?", "chosen": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ann"}], "rejected": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Bob"}]}""", "Who? → Ann", "dpo" },
        { """{"prompt": [{"role": "user", "content": "Who?"}], "chosen": [{"role": "assistant", "content": "Ann"}], "rejected": [{"role": "assistant", "content": "Bob"}]}""", "Who? → Ann", "dpo" },
        { """{"id": "1", "title": "t", "context": "Ann is here.", "question": "Who?", "answers": {"text": ["Ann", "Ann", "she"], "answer_start": [0, 0, 0]}}""", "Who? Ann is here. → Ann", "squad" },
        { """{"context": "Ann is here.", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]}""", "Who? Ann is here. → Ann", "squad" },
        { """{"context": "It rains.", "question": "Who?", "answers": {"text": [], "answer_start": []}}""", "Who? It rains. → ", "squad" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_form_is_told_from_its_records_as_lines_and_as_a_list(string record, string said, string form)
    {
        foreach (var path in new[] {
            _folder.Write("lines.jsonl", $"{record}\n\n{record}\n"),
            _folder.Write("list.json", $"[{record},\n {record}]"),
            _folder.Write("marked.jsonl", $"\uFEFF{record}\n{record}") })
        {
            var data = DataFile.Read(path);
            Assert.Equal(form, data.Format.Name);
            Assert.Equal([said, said], data.Records.Select(each => $"{each.Example.Question} → {each.Example.Output}"));
            Assert.Equal(data.Records.Select(each => each.Example.Output), DataFile.Load(path, new DataFormat(form)).Select(each => each.Output));
        }
    }

    [Fact]
    public void A_task_file_of_natural_instructions_gives_an_example_for_each_instance()
    {
        var path = _folder.Write("task042_negate.json", """
            {
              "Contributors": ["someone"],
              "Definition": ["Negate the word.", "Say nothing else."],
              "Positive Examples": [],
              "Instances": [
                {"id": "task042-1", "input": "yes", "output": ["no", "nope"]},
                {"id": "task042-2", "input": "up", "output": ["down"]}
              ]
            }
            """);
        var data = DataFile.Read(path);
        Assert.Equal("natural-instructions", data.Format.Name);
        Assert.Equal(["no", "down"], data.Records.Select(record => record.Example.Output));
        Assert.Equal(["nope"], data.Records[0].Example.Alternatives);
        var first = Assert.IsType<InstructionExample>(data.Records[0].Example);
        Assert.Equal(("Negate the word.\nSay nothing else.", "yes"), (first.Instruction, first.Input));

        // Its instances one by one mean the same: what a partition writes.
        var lines = _folder.Write(
            "client-1.jsonl",
            string.Join("\n", data.Records.Select(record => JsonSerializer.Serialize(record.Json))));
        Assert.Equal(
            data.Records
                .Select(record => $"{record.Example.Question}|{record.Example.Output}|{string.Join(',', record.Example.Alternatives)}"),
            DataFile.Load(lines).Select(example => $"{example.Question}|{example.Output}|{string.Join(',', example.Alternatives)}"));
        Assert.All(data.Records, record => Assert.Equal("task042_negate", record.Json.GetProperty("task_name").GetString()));
    }

    public static TheoryData<string, string, string[]> BrokenFiles => new()
    {
        {
            "a.jsonl",
            "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": \"a\", \"output\": 3}\n{\"output\": \"b\"}",
            [":2: \"output\" must be a string, it is Number", ":3: \"instruction\" is missing"] },
        {
            "d.jsonl",
            "{\"instruction\": \"a\", \"response\": \"b\"}\n{\"instruction\": \"a\", \"context\": [], \"response\": \"b\"}",
            [":2: \"context\" must be a string, it is Array"] },
        {
            "c.json",
            "[\n{\"prompt\": \"a\", \"completion\": \"b\"},\n\n{\"prompt\": \"a\"},\n3]",
            [":4: \"completion\" is missing", ":5: a line must be an object"] },
        { "torn.json", "[\n{\"prompt\": \"a\", \"completion\": \"b\"},\n{\"prompt\": \"a\", ", [":3: "] },
        { "trailing.json", "[\n{\"prompt\": \"a\", \"completion\": \"b\"}\n]\n]", [":4: "] },
        { "m.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}\n{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n"
            + "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}\n{\"messages\": [{\"role\": \"robot\", \"content\": \"a\"}]}\n{\"messages\": [{\"role\": \"user\"}]}\n{\"messages\": 1}\n{\"messages\": [1]}\n{\"messages\": []}",
            [":2: the last message must be the assistant's", ":3: message 1 must be the user's, it is the assistant's", ":4: message 1: \"role\" is robot", ":5: message 1: \"content\" is missing",
             ":6: \"messages\" must be a list", ":7: message 1 must be an object", ":8: the last message must be the assistant's"] },
        { "n.json", "{\"Definition\": [\"d\"], \"Instances\": [\n{\"input\": \"a\", \"output\": [\"b\"]},\n{\"input\": \"a\", \"output\": []},\n{\"output\": [\"b\"]}, 7]}",
            [":1: Instances[1]: \"output\" must be a string or a list", ":1: Instances[2]: \"input\" is missing", ":1: Instances[3]: an instance must be an object"] },
        { "nd.json", "{\"Definition\": 3,\n \"Instances\": []}", [":1: \"Definition\" must be a string or a list"] },
        {
            "u.jsonl",
            "{\"title\": \"a\", \"body\": \"b\"}",
            [":1: the fields title, body are of no known form", "alpaca (instruction, output)", "messages or conversations", "--fields"] },
        { "p.parquet", "this is no Parquet file", [": not a readable Parquet file"] },
        { "e.json", "[]", [": there is no example in it"] },
    };

    [Theory]
    [MemberData(nameof(BrokenFiles))]
    public void What_is_broken_is_named_with_file_line_and_field_all_at_once(string name, string text, string[] reasons)
    {
        var path = _folder.Write(name, text);
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Read(path)).Message;
        Assert.All(reasons, reason => Assert.Contains(reason, message, StringComparison.Ordinal));
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_broken_lines_are_enough()
    {
        var path = _folder.Write(
            "data.jsonl",
            "{\"prompt\": \"a\", \"completion\": \"b\"}\n" + string.Concat(Enumerable.Repeat("nonsense\n", 50)));
        Assert.Equal(10, Assert.Throws<InvalidDataException>(() => DataFile.Read(path)).Message.Split(Environment.NewLine).Length);
    }

    [Fact]
    public void A_named_form_is_taken_at_its_word()
    {
        var path = _folder.Write(
            "data.jsonl",
            """{"instruction": "a", "output": "b", "response": "c", "prompt": "d", "completion": "e"}""");
        Assert.Equal("alpaca", DataFile.Read(path).Format.Name);
        Assert.Equal("c", DataFile.Load(path, new DataFormat("dolly"))[0].Output);
        Assert.Equal("e", DataFile.Load(path, new DataFormat("completion"))[0].Output);
        Assert.Contains(
            "\"messages\" is missing",
            Assert.Throws<InvalidDataException>(() => DataFile.Load(path, new DataFormat("messages"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Parquet_columns_are_fields()
    {
        var path = Path.Combine(_folder.Path, "data.parquet");
        ParquetSchema schema = new(
            new DataField<string>("instruction"),
            new DataField<string>("context"),
            new DataField<string>("response"),
            new DataField<int>("number"));
        await using (var file = File.Create(path))
            await ParquetSerializer.SerializeUntypedAsync(
                [
                    new Dictionary<string, object?> {
                        ["instruction"] = "Who?",
                        ["context"] = "Ann ist dá.",
                        ["response"] = "Ann",
                        ["number"] = 1 }!,
                    new Dictionary<string, object?> {
                        ["instruction"] = "Greet",
                        ["context"] = null,
                        ["response"] = "hello",
                        ["number"] = 2 }!,
                ],
                schema, file, cancellationToken: TestContext.Current.CancellationToken);
        var data = DataFile.Read(path);
        Assert.Equal("dolly", data.Format.Name);
        Assert.Equal(
            [new InstructionExample("Who?", "Ann ist dá.", "Ann"), new InstructionExample("Greet", null, "hello")],
            data.Records.Select(record => record.Example));
        Assert.Equal([1, 2], data.Records.Select(record => record.Json.GetProperty("number").GetInt32()));

        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(path, new DataFormat("alpaca"))).Message;
        Assert.Contains($"{path}: row 1: \"output\" is missing", message, StringComparison.Ordinal);
        Assert.Contains($"{path}: row 2: \"output\" is missing", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Parquet_holds_conversations_and_lists_of_answers()
    {
        string chats = Path.Combine(_folder.Path, "chats.parquet"), tasks = Path.Combine(_folder.Path, "tasks.parquet");
        await ParquetSerializer.SerializeAsync(
            [new ChatRow {
                messages = [new MessageRow { role = "user", content = "Hi" }, new MessageRow { role = "assistant", content = "Hello" }] }],
            chats, cancellationToken: TestContext.Current.CancellationToken);
        await ParquetSerializer.SerializeAsync(
            [new TaskRow { definition = "Negate.", inputs = "yes", targets = ["no", "nope"] }, new TaskRow {
                definition = "Negate.",
                inputs = "up",
                targets = ["down"] }],
            tasks, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(new ChatTurn("Hi", "Hello"), Assert.Single(Assert.IsType<ChatExample>(DataFile.Load(chats)[0]).Turns));
        var examples = DataFile.Load(tasks);
        Assert.Equal(["no", "down"], examples.Select(example => example.Output));
        Assert.Equal(["nope"], examples[0].Alternatives);
    }

    [Fact]
    public async Task Bytes_in_a_Parquet_file_that_are_not_text_are_a_fault_and_a_replacement_character_is_none()
    {
        var path = Path.Combine(_folder.Path, "data.parquet");
        TaskRow[] rows = [.. Enumerable.Range(1, 6).Select(i => new TaskRow
        {
            definition = i == 2 ? null : "Negate.",
            inputs = i == 3 ? "WXYZ" : i == 1 ? "\uFFFD itself" : "up",
            targets = i == 5 ? ["down", "VXYZ"] : ["down"],
        })];
        // Two groups of rows, so that they are counted through.
        await ParquetSerializer.SerializeAsync(rows, path, new ParquetOptions
        {
            CompressionMethod = CompressionMethod.None,
            RowGroupSize = 4,
        }, cancellationToken: TestContext.Current.CancellationToken);
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        Overwrite("WXYZ", [(byte)'c', 0xE9, (byte)'d', (byte)'e']); // Windows-1252
        Overwrite("VXYZ", [0xED, 0xA0, 0xBD, (byte)'!']); // half of an emoji
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);

        var read = DataSource.Read(path).ToArray();
        Assert.Equal([3, 5], Enumerable.Range(1, 6).Where(i => read[i - 1].Fault is not null));
        Assert.StartsWith("\"inputs\" is not UTF-8 text", read[2].Fault, StringComparison.Ordinal);
        Assert.StartsWith("\"targets\" holds half a character", read[4].Fault, StringComparison.Ordinal);
        Assert.Equal("\uFFFD itself", read[0].Json.GetProperty("inputs").GetString());
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Read(path)).Message;
        Assert.Contains($"{path}: row 3: \"inputs\" is not UTF-8", message, StringComparison.Ordinal);

        void Overwrite(string marker, byte[] with)
        {
            // Statistics repeat values.
            for (int at; (at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(marker))) >= 0;)
                with.CopyTo(bytes, at);
        }
    }

    [Fact]
    public async Task A_torn_Parquet_file_is_an_error_wherever_it_is_torn()
    {
        var path = Path.Combine(_folder.Path, "data.parquet");
        await ParquetSerializer.SerializeAsync(
            [new TaskRow { definition = "d", inputs = "i", targets = ["t"] }],
            path,
            cancellationToken: TestContext.Current.CancellationToken);
        var whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        for (var length = 0; length < whole.Length; length += 17)
        {
            await File.WriteAllBytesAsync(path, whole[..length], TestContext.Current.CancellationToken);
            Assert.Contains(path, Assert.Throws<InvalidDataException>(() => DataFile.Read(path)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Evenly_spaced_examples_come_from_the_whole_file()
    {
        Assert.Equal([0, 25, 50, 75], EvenlySpaced.Of([.. Enumerable.Range(0, 100)], 4));
        Assert.Equal([0, 1, 2], EvenlySpaced.Of([0, 1, 2], 5));
        Assert.Equal([0, 1, 2], EvenlySpaced.Of([0, 1, 2], 0));
    }

    public void Dispose() => _folder.Dispose();

#pragma warning disable IDE1006 // columns are named as in the files that people have
    private sealed class MessageRow
    {
        public string? role { get; set; }
        public string? content { get; set; }
    }

    private sealed class ChatRow
    {
        public List<MessageRow>? messages { get; set; }
    }

    private sealed class TaskRow
    {
        public string? definition { get; set; }
        public string? inputs { get; set; }
        public List<string>? targets { get; set; }
    }
#pragma warning restore IDE1006
}
