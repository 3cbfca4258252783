using FedKSeed.InstructionData.Forms;
using FedKSeed.Tests;
using FedKSeed.Tokenization;

namespace FedKSeed.InstructionData.Tests;

public class InstructionDataTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel"));
    private static readonly PromptTemplate Short = new("{instruction}|{input}>", "{instruction}>");

    [Fact]
    public void Lines_become_examples_and_other_fields_are_left_alone()
    {
        using TemporaryFolder folder = new();
        var path = folder.Write("data.jsonl", """
            {"instruction": "Add", "input": "1 2", "output": "3", "task": "sum", "difficulty": 1}

            {"instruction": "Greet", "output": "hello"}
            """);
        Assert.Equal([new InstructionExample("Add", "1 2", "3"), new InstructionExample("Greet", null, "hello")], DataFile.Load(path));
    }

    [Fact]
    public void Broken_lines_are_reported_together_with_file_number_and_reason()
    {
        using TemporaryFolder folder = new();
        var path = folder.Write(
            "data.jsonl",
            "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": 1, \"output\": \"b\"}\n"
                + "nonsense\n{\"instruction\": \"a\"}\n[1]\n");
        var message = Assert.Throws<InvalidDataException>(() => DataFile.Load(path)).Message;
        Assert.Contains($"{path}:2: \"instruction\" must be a string", message, StringComparison.Ordinal);
        Assert.Contains($"{path}:3: ", message, StringComparison.Ordinal);
        Assert.Contains($"{path}:4: \"output\" is missing", message, StringComparison.Ordinal);
        Assert.Contains($"{path}:5: a line must be an object", message, StringComparison.Ordinal);
        Assert.DoesNotContain($"{path}:1:", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_examples_is_refused()
    {
        using TemporaryFolder folder = new();
        Assert.Throws<InvalidDataException>(() => DataFile.Load(folder.Write("data.jsonl", "\n\n")));
    }

    [Fact]
    public void A_template_is_filled_in_once_whatever_the_data_says()
    {
        Assert.Equal("{input}|x {instruction}>", Short.Prompt(new("{input}", "x {instruction}", "")));
        Assert.Equal("do>", Short.Prompt(new("do", "", "")));
        Assert.EndsWith(
            "### Instruction:\ndo\n\n### Input:\nx\n\n### Response:", PromptTemplate.Alpaca.Prompt(new("do", "x", "")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_comes_from_a_file_and_one_that_drops_the_data_is_refused()
    {
        using TemporaryFolder folder = new();
        Assert.Equal(
            Short,
            PromptTemplate.Load(
                folder.Write("good.json", """{"withInput": "{instruction}|{input}>", "withoutInput": "{instruction}>"}""")));
        var message = Assert.Throws<InvalidDataException>(
            () => PromptTemplate.Load(folder.Write("bad.json", """{"withInput": "{instruction}", "withoutInput": "?"}"""))).Message;
        Assert.Contains("withInput must hold {input}", message, StringComparison.Ordinal);
        Assert.Contains("withoutInput must hold {instruction}", message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(
            () => PromptTemplate.Load(folder.Write("half.json", """{"withInput": "{instruction}{input}"}""")));
    }

    [Fact]
    public void Only_the_answer_and_the_end_are_labelled()
    {
        var withEnd = TokenizerWithEnd();
        ExampleEncoder encoder = new(withEnd, Short, 100);
        var sequence = Assert.Single(encoder.Encode([new InstructionExample("Say", "hi", "hello there")]).Sequences);
        int[] prompt = encoder.Prompt(new InstructionExample("Say", "hi", "")), answer = [.. withEnd.Encode("hello there"), 0];
        Assert.Equal("Say|hi>", withEnd.Decode(prompt));
        Assert.Equal([.. prompt, .. answer], sequence.Ids);
        Assert.Equal([.. prompt.Select(_ => TokenSequence.Ignored), .. answer], sequence.Labels);
    }

    [Fact]
    public void What_is_too_long_is_cut_counted_and_dropped_if_no_answer_is_left()
    {
        ExampleEncoder encoder = new(Tokenizer, Short, 8);
        var encoded = encoder.Encode([
            new InstructionExample("a", null, "b"), new InstructionExample("a", null, "xxxxxxxxxxxx"),
            new InstructionExample("xxxxxxxxxxxx", null, "b")]);
        Assert.Equal((2, 2, 1), (encoded.Sequences.Count, encoded.Truncated, encoded.Dropped));
        Assert.Equal(8, encoded.Sequences[1].Ids.Length);
    }

    private static Tokenizer TokenizerWithEnd()
    {
        using TemporaryFolder folder = new();
        folder.CopyFrom(Vectors.Path("tokenizers", "bytelevel"));
        folder.Write("tokenizer_config.json", """{"eos_token": "<|endoftext|>"}""");
        return Tokenizer.Load(folder.Path);
    }
}
