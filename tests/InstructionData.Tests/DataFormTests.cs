#pragma warning disable RCS0056 // records are lines, as in the files that people have
using System.Text.Json;
using FedKSeed.InstructionData.Forms;
using FedKSeed.Tests;

namespace FedKSeed.InstructionData.Tests;

public sealed class DataFormTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>What a newcomer adds: one class, named in one list.</summary>
    private sealed class RiddleForm : IDataForm
    {
        public string Name => "riddle";

        public IReadOnlyList<IReadOnlyList<string>> Needed => [["riddle", "solution"]];

        public IReadOnlyList<string> Optional => ["hint"];

        public Example Read(RecordFields record) =>
            new InstructionExample(record.Text("riddle"), record.OptionalText("hint"), record.Text("solution"));
    }

    [Fact]
    public void A_form_that_is_added_is_told_named_renamed_and_described_as_the_others_are()
    {
        var forms = DataForms.Standard.With(new RiddleForm());
        var path = _folder.Write("riddles.csv", "riddle,hint,solution\nWhat barks?,It is loyal.,a dog\n");
        Assert.Throws<InvalidDataException>(() => DataFile.Read(path));

        var told = DataFile.Read(path, new DataReading { Forms = forms });
        Assert.Equal("riddle", told.Format.Name);
        Assert.Equal(new InstructionExample("What barks?", "It is loyal.", "a dog"), told.Records[0].Example);

        var named = _folder.Write("named.jsonl", """{"riddle": "a", "solution": "b", "instruction": "c", "output": "d"}""");
        Assert.Equal("alpaca", DataFile.Read(named, new DataReading { Forms = forms }).Format.Name);
        Assert.Equal("b", DataFile.Load(named, new DataReading { Forms = forms, Format = new DataFormat("riddle") })[0].Output);

        var renamed = _folder.Write("renamed.jsonl", """{"q": "a", "a": "b"}""");
        DataReading reading = new() { Forms = forms, Fields = FieldNames.Parse("riddle=q,solution=a", forms) };
        Assert.Equal("b", DataFile.Load(renamed, reading)[0].Output);
        Assert.Contains(
            "riddle (riddle, solution)",
            Assert.Throws<InvalidDataException>(() => DataFile.Load(renamed, new DataReading { Forms = forms })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Every_form_has_a_name_of_its_own_that_options_and_settings_read_back()
    {
        Assert.Equal(DataFormats.All.Count, DataFormats.All.Distinct().Count());
        foreach (var name in DataFormats.All)
        {
            DataFormat format = new(name);
            Assert.Equal(format, DataFormats.Parse(name));
            Assert.Equal(format, JsonSerializer.Deserialize<DataFormat>(JsonSerializer.Serialize(format)));
        }
        Assert.Null(DataFormats.Parse("morse"));
        // As plans of runs had it.
        Assert.Equal(new DataFormat("natural-instructions"), JsonSerializer.Deserialize<DataFormat>("\"NaturalInstructions\""));
        Assert.Contains("'morse' is no form", Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<DataFormat>("\"morse\"")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fields_of_any_name_stand_for_those_of_a_form()
    {
        var path = _folder.Write("posts.jsonl", """{"title": "Add", "body": "3", "id": 7}""");
        DataReading reading = new() { Fields = FieldNames.Parse("instruction=title, output=body") };
        var file = DataFile.Read(path, reading);
        Assert.Equal(("alpaca", new InstructionExample("Add", null, "3")), (file.Format.Name, file.Records[0].Example));
        Assert.Equal("""{"instruction":"Add","output":"3","id":7}""", reading.Fields.Renamed(file.Records[0].Json).GetRawText());

        var broken = _folder.Write("broken.jsonl", "{\"title\": \"Add\", \"body\": \"3\"}\n{\"title\": \"Add\", \"body\": 3}\n{\"body\": \"3\"}");
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(broken, reading)).Message;
        Assert.Contains(":2: \"body\" must be a string", message, StringComparison.Ordinal);
        Assert.Contains(":3: \"title\" is missing", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("instruction", "must be a field of a form, =, and the data's name")]
    [InlineData("instruction=", "must be a field of a form, =, and the data's name")]
    [InlineData("instrction=title", "no form has a field 'instrction'")]
    [InlineData("output=a,output=b", "'output' is named twice")]
    public void Names_of_fields_that_make_no_sense_are_refused(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => FieldNames.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void What_a_record_says_to_the_assistant_beside_its_other_fields_is_kept()
    {
        var chat = Load<ChatExample>("""{"system": "Be kind.", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}""");
        Assert.Equal("Be kind.", chat.System);
        var same = Load<ChatExample>("""{"system": "Be kind.", "conversations": [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}""");
        Assert.Equal(("Be kind.", 1), (same.System, same.Turns.Count));
        var path = _folder.Write("two.jsonl", """{"system": "Be kind.", "messages": [{"role": "system", "content": "Be rude."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}""");
        Assert.Contains("say different things", Assert.Throws<InvalidDataException>(() => DataFile.Load(path)).Message, StringComparison.Ordinal);

        foreach (var (field, rest) in new[]
        {
            ("system", """ "instruction": "Greet", "output": "Hello" """), ("system", """ "instruction": "Greet", "response": "Hello" """),
            ("system", """ "prompt": "Greet", "response": "Hello" """), ("system_prompt", """ "question": "Greet", "response": "Hello" """),
            ("system", """ "input": "Greet", "output": "Hello" """), ("system", """ "prompt": "Greet", "chosen": "Hello", "rejected": "No" """),
        })
        {
            var example = Load<InstructionExample>($$"""{"{{field}}": "Be kind.",{{rest}}}""");
            Assert.Equal("Be kind.", example.System);
            Assert.Equal("Be kind.\n\nGreet>", new PromptTemplate("{instruction}|{input}>", "{instruction}>").Prompt(example));
            Assert.Equal("[Be kind.] Greet>", new PromptTemplate("{instruction}|{input}>", "[{system}] {instruction}>").Prompt(example));
        }
    }

    [Fact]
    public void The_answer_that_was_rejected_is_kept()
    {
        Assert.Equal("Bob", Load<InstructionExample>("""{"prompt": "Who?", "chosen": "Ann", "rejected": "Bob"}""").Rejected);
        var chat = Load<ChatExample>("""{"system": "Be kind.", "prompt": "Who?", "chosen": [{"role": "assistant", "content": "Ann"}], "rejected": [{"role": "assistant", "content": "Bob"}]}""");
        Assert.Equal(("Be kind.", "Who?", "Ann", "Bob"), (chat.System, chat.Question, chat.Output, chat.Rejected));
    }

    [Fact]
    public void A_file_of_SQuAD_gives_an_example_for_each_question_and_names_what_is_broken()
    {
        var path = _folder.Write("squad.json", """
            {"version": "v2.0", "data": [{"title": "Ann", "paragraphs": [{"context": "Ann is here.", "qas": [
              {"id": "1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}, {"text": "Ann is", "answer_start": 0}], "is_impossible": false},
              {"id": "2", "question": "When?", "answers": [], "is_impossible": true}]}]}]}
            """);
        var file = DataFile.Read(path);
        Assert.Equal("squad", file.Format.Name);
        Assert.Equal(["Ann", ""], file.Records.Select(record => record.Example.Output));
        Assert.Equal(["Ann is"], file.Records[0].Example.Alternatives);
        Assert.Equal("Ann", file.Records[0].Json.GetProperty("title").GetString());

        var broken = _folder.Write("broken.json", """{"data": [{"title": "Ann", "paragraphs": [{"context": "Ann is here.", "qas": [{"question": 3}]}, 7]}, {"paragraphs": 1}]}""");
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(broken)).Message;
        foreach (var reason in new[]
        {
            ":1: data[0].paragraphs[0].qas[0]: \"question\" must be a string", ":1: data[0].paragraphs[1]: a line must be an object",
            ":1: data[1]: \"paragraphs\" must be a list",
        })
            Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_of_a_content_that_is_no_text_is_a_fault()
    {
        var path = _folder.Write("image.jsonl", """{"messages": [{"role": "user", "content": [{"type": "text", "text": "u"}, {"type": "image_url"}]}, {"role": "assistant", "content": "a"}]}""");
        Assert.Contains(
            ":1: message 1: part 2 of the content is of type image_url: only text can be learned",
            Assert.Throws<InvalidDataException>(() => DataFile.Load(path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_tells_clients_held_out_data_and_what_is_not_taken()
    {
        foreach (var name in new[] { "client-1.jsonl", "client-2.csv.gz", "client-2.json", "client-3.csv.bak", "held-out.tsv", "notes.jsonl", "README" })
            _folder.Write(name, "");
        Directory.CreateDirectory(Path.Combine(_folder.Path, "client-4"));
        var folder = DataFolder.Of(_folder.Path);
        Assert.Equal(["client-1", "client-2"], folder.Clients.Keys);
        Assert.Equal(["client-2.json", "client-2.csv.gz"], folder.Clients["client-2"].Select(Path.GetFileName));
        Assert.Equal("held-out.tsv", Path.GetFileName(folder.HeldOut));
        Assert.Equal(["README", "client-3.csv.bak", "client-4/", "notes.jsonl"], folder.NotTaken);
    }

    public void Dispose() => _folder.Dispose();

    private T Load<T>(string record) where T : Example =>
        Assert.IsType<T>(Assert.Single(DataFile.Load(_folder.Write("one.jsonl", record))));
}
