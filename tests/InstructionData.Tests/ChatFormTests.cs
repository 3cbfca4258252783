using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Tests;
using FedKSeed.Tokenization;

namespace FedKSeed.InstructionData.Tests;

public sealed class ChatFormTests : IDisposable
{
    private static readonly ChatExample Talk = new("Be kind.", [new ChatTurn("Hi", "Hello"), new ChatTurn("Bye", "See you")]);

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void ChatML_wraps_every_message_and_labels_every_answer_with_its_end()
    {
        var encoder = Encoder("<|im_start|>", "<|im_end|>");
        Assert.Equal(ChatForm.ChatMl, encoder.Chat);
        var sequence = Assert.Single(encoder.Encode([Talk]).Sequences);
        Assert.Equal(
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>"
                + "\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you<|im_end|>",
            Text(encoder, sequence.Ids));
        Assert.Equal("Hello<|im_end|>See you<|im_end|>", Text(encoder, Learned(sequence)));
        Assert.Contains(Learned(sequence)[^1], encoder.Ends);
    }

    [Fact]
    public void Llama_3_has_headers_and_begins_once()
    {
        var encoder = Encoder("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>");
        Assert.Equal(ChatForm.Llama3, encoder.Chat);
        var sequence = Assert.Single(encoder.Encode([Talk with { System = null }]).Sequences);
        Assert.Equal(
            "<|begin|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nSee you<|eot_id|>",
            "<|begin|>" + Text(encoder, sequence.Ids));
        Assert.Equal("Hello<|eot_id|>See you<|eot_id|>", Text(encoder, Learned(sequence)));
    }

    [Fact]
    public void Llama_2_puts_the_system_message_into_the_first_question_and_every_turn_between_beginning_and_end()
    {
        _folder.Write(
            "tokenizer_config.json",
            """{"eos_token": "</s>", "bos_token": "<s>", "add_bos_token": true}""");
        var encoder = Encoder("<s>", "</s>") with { Chat = ChatForm.Llama2 };
        var sequence = Assert.Single(encoder.Encode([Talk]).Sequences);
        Assert.Equal(
            "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] Bye [/INST] See you </s>",
            Text(encoder, sequence.Ids));
        Assert.Equal(" Hello </s> See you </s>", Text(encoder, Learned(sequence)));
    }

    [Theory]
    [InlineData(ChatForm.ChatMl)]
    [InlineData(ChatForm.Llama2)]
    [InlineData(ChatForm.Llama3)]
    public void Generation_sees_the_tokens_that_training_put_before_the_last_answer(ChatForm form)
    {
        var encoder = Encoder("<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>") with { Chat = form };
        var sequence = Assert.Single(encoder.Encode([Talk]).Sequences);
        var prompt = encoder.Prompt(Talk);
        Assert.Equal(sequence.Ids[..prompt.Length], prompt);
        Assert.Equal(TokenSequence.Ignored, sequence.Labels[prompt.Length - 1]);
        Assert.DoesNotContain(TokenSequence.Ignored, sequence.Labels[prompt.Length..]);
    }

    [Fact]
    public void A_tokenizer_without_the_forms_end_ends_answers_with_its_own()
    {
        _folder.Write("tokenizer_config.json", """{"eos_token": "<|endoftext|>"}""");
        var encoder = Encoder() with { Chat = ChatForm.ChatMl };
        var sequence = Assert.Single(encoder.Encode([new ChatExample(null, [new ChatTurn("Hi", "Hello")])]).Sequences);
        Assert.Equal("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|endoftext|>", Text(encoder, sequence.Ids));
    }

    [Fact]
    public void A_conversation_for_a_model_without_a_form_is_refused_and_the_forms_are_named()
    {
        var encoder = Encoder();
        Assert.Null(encoder.Chat);
        Assert.Contains(
            "chatml, llama2, llama3", Assert.Throws<InvalidDataException>(() => encoder.Encode([Talk])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Functions_have_no_place_in_a_form_and_the_example_is_named()
    {
        var encoder = Encoder("<|im_start|>", "<|im_end|>");
        var calls = Talk with { Tools = JsonSerializer.Deserialize<JsonElement>("""[{"name": "f"}]""") };
        var fault = Assert.Throws<InvalidDataException>(() => encoder.Encode([Talk, calls])).Message;
        Assert.StartsWith("example 2: the chat form chatml has no place for functions", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_completion_goes_on_in_the_text_before_it()
    {
        var encoder = Encoder();
        var sequence = Assert.Single(encoder.Encode([new CompletionExample("Once upon", " a time")]).Sequences);
        Assert.Equal(encoder.Tokenizer.Encode("Once upon a time"), sequence.Ids);
        Assert.Equal(" a time", Text(encoder, Learned(sequence)));
    }

    public void Dispose() => _folder.Dispose();

    private static int[] Learned(TokenSequence sequence) => [.. sequence.Labels.Where(label => label != TokenSequence.Ignored)];

    private static string Text(ExampleEncoder encoder, int[] ids) => encoder.Tokenizer.Decode(ids, skipSpecialTokens: false);

    /// <summary>A reference tokenizer with further special tokens, and what the test has written beside it.</summary>
    private ExampleEncoder Encoder(params string[] special)
    {
        var file = JsonNode.Parse(File.ReadAllText(Vectors.Path("tokenizers", "bytelevel", "tokenizer.json")))!.AsObject();
        var added = file["added_tokens"]!.AsArray();
        var next = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel")).VocabularySize;
        foreach (var token in special)
            added.Add(JsonSerializer.SerializeToNode(new { id = next++, content = token, special = true }));
        _folder.Write("tokenizer.json", file.ToJsonString());
        return ExampleEncoder.Load(_folder.Path, Tokenizer.Load(_folder.Path), PromptTemplate.Alpaca, 1000);
    }
}
