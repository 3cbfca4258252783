#pragma warning disable RCS0056 // records are lines, as in the files that people have
using FedKSeed.Tests;
using FedKSeed.Tokenization;

namespace FedKSeed.InstructionData.Tests;

/// <summary>What is longer than the longest sequence.</summary>
public sealed class LongExampleTests
{
    private const int MaxLength = 40;

    private static readonly string Long = string.Join(' ', Enumerable.Range(0, 200));

    private static readonly ExampleEncoder Encoder = new(
        Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel")), new PromptTemplate("{instruction}|{input}>", "{instruction}>"), MaxLength)
    {
        Chat = ChatForm.ChatMl,
    };

    public static TheoryData<Example, string, string> TooLong => new()
    {
        { new InstructionExample("Say", Long, "the answer"), "Say|0 1 2", ">" },
        { new InstructionExample(Long, null, "the answer"), "0 1 2", ">" },
        { new InstructionExample(Long, "in", "the answer"), "0 1 2", ">" },
        { new CompletionExample(Long, " the answer"), "", " 198 199" },
    };

    [Theory]
    [MemberData(nameof(TooLong))]
    public void The_input_is_cut_as_far_as_the_answer_needs_and_the_answer_stays_whole(Example example, string begins, string ends)
    {
        var encoded = Encoder.Encode([example]);
        var sequence = Assert.Single(encoded.Sequences);
        Assert.Equal((1, 1, 0, 0), (encoded.Truncated, encoded.InputCut, encoded.AnswerCut, encoded.Dropped));
        Assert.Equal(example.Output, Answer(sequence));
        Assert.InRange(sequence.Ids.Length, MaxLength - 4, MaxLength);
        var prompt = Encoder.Tokenizer.Decode(sequence.Ids[..sequence.Labels.Count(label => label == TokenSequence.Ignored)]);
        Assert.StartsWith(begins, prompt, StringComparison.Ordinal);
        Assert.EndsWith(ends, prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void A_conversation_loses_its_first_turns_and_keeps_its_system_message_and_its_last_answer()
    {
        ChatTurn[] turns = [.. Enumerable.Range(0, 30).Select(i => new ChatTurn($"question {i}", $"answer {i}"))];
        var sequence = Assert.Single((Encoder with { MaxLength = 300 }).Encode([new ChatExample("Be kind.", turns)]).Sequences);
        var text = Encoder.Tokenizer.Decode(sequence.Ids);
        Assert.StartsWith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nquestion ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("question 0\n", text, StringComparison.Ordinal);
        Assert.Contains("answer 28", text, StringComparison.Ordinal);
        Assert.EndsWith("answer 29", text, StringComparison.Ordinal);
        Assert.InRange(sequence.Ids.Length, 200, 300);

        var asked = Assert.Single((Encoder with { MaxLength = 300 }).Encode([new ChatExample("Be kind.", [turns[0], new ChatTurn(Long, "the answer")])]).Sequences);
        var cut = Encoder.Tokenizer.Decode(asked.Ids);
        Assert.Contains("<|im_start|>user\n0 1 2", cut, StringComparison.Ordinal);
        Assert.EndsWith("the answer", cut, StringComparison.Ordinal);
        Assert.InRange(asked.Ids.Length, 296, 300);
    }

    [Fact]
    public void An_answer_that_no_cut_makes_room_for_loses_its_end()
    {
        var encoded = Encoder.Encode([new InstructionExample("Say", "it", Long)]);
        Assert.Equal((1, 0, 1, 0), (encoded.Truncated, encoded.InputCut, encoded.AnswerCut, encoded.Dropped));
        Assert.StartsWith("Say|it>0 1 2", Encoder.Tokenizer.Decode(encoded.Sequences[0].Ids), StringComparison.Ordinal);
        Assert.Equal(MaxLength, encoded.Sequences[0].Ids.Length);
    }

    [Fact]
    public void They_are_cut_at_the_end_or_dropped_when_told_so()
    {
        Example[] examples = [new InstructionExample("Say", null, "a"), new InstructionExample("Say", Long, "a"), new InstructionExample("Say", null, Long)];
        var end = (Encoder with { WhenTooLong = LongExamples.CutEnd }).Encode(examples);
        Assert.Equal((2, 2, 0, 1, 1), (end.Sequences.Count, end.Truncated, end.InputCut, end.AnswerCut, end.Dropped));
        var drop = (Encoder with { WhenTooLong = LongExamples.Drop }).Encode(examples);
        Assert.Equal((1, 2, 0, 0, 2), (drop.Sequences.Count, drop.Truncated, drop.InputCut, drop.AnswerCut, drop.Dropped));
    }

    [Fact]
    public void No_cut_goes_through_the_middle_of_a_character()
    {
        var faces = string.Concat(Enumerable.Repeat("😀", 200));
        foreach (var example in new Example[] { new InstructionExample("Say", faces, "a"), new CompletionExample(faces, "a") })
        {
            var text = Encoder.Tokenizer.Decode(Assert.Single(Encoder.Encode([example]).Sequences).Ids);
            Assert.DoesNotContain('�', text);
            Assert.Contains("😀", text, StringComparison.Ordinal);
        }
    }

    private static string Answer(TokenSequence sequence) =>
        Encoder.Tokenizer.Decode([.. sequence.Labels.Where(label => label != TokenSequence.Ignored)]);
}
