#pragma warning disable RCS0056 // templates and records are lines, as in the files that people have
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.InstructionData.Forms;
using FedKSeed.Tests;
using FedKSeed.Tokenization;

namespace FedKSeed.InstructionData.Tests;

/// <summary>Conversations of models that bring a chat template of their own.</summary>
public sealed class TemplateEncoderTests : IDisposable
{
    // As Qwen's: what the assistant is told if nothing else, tools, a line's end behind every turn.
    private const string ChatMl = """
        {%- if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif -%}
        {%- if tools %}{{ '<tools>' + (tools | tojson) + '</tools>\n' }}{% endif -%}
        {%- for m in messages %}
        {{- '<|im_start|>' + m.role + '\n' + (m.content or '') }}
        {%- for call in m.tool_calls or [] %}{{ '<call>' + (call.function | tojson) + '</call>' }}{% endfor %}
        {{- '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
        """;

    // As Llama 3's first: it begins the text itself, and another answer behind everything, whatever it is told.
    private const string AlwaysBegins = """
        {{- bos_token }}
        {%- for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}{% endfor %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
        """;

    // As Qwen 3's: reasoning stands before the last answer alone, and is there even if empty.
    private const string Reasons = """
        {%- for m in messages %}
        {{- '<|im_start|>' + m.role + '\n' }}
        {%- if m.role == 'assistant' %}
            {%- set parts = m.content.split('</think>') %}
            {%- set thought = parts[0].split('<think>')[-1].strip('\n') if parts | length > 1 else '' %}
            {%- if loop.last %}{{ '<think>\n' + thought + '\n</think>\n\n' }}{% endif %}
            {{- parts[-1].lstrip('\n') }}
        {%- else %}{{ m.content }}{% endif %}
        {{- '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
        """;

    private static readonly ChatExample Talk = new("Be kind.", [new ChatTurn("Hi", "Hello"), new ChatTurn("Bye", "See you")]);

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void The_models_own_template_writes_a_conversation_and_every_answer_is_learned_with_its_end()
    {
        var encoder = Encoder(ChatMl);
        Assert.Null(encoder.Chat);
        var sequence = Assert.Single(encoder.Encode([Talk with { System = null }]).Sequences);
        Assert.Equal(
            "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>"
                + "\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you<|im_end|>",
            Text(encoder, sequence.Ids));
        Assert.Equal("Hello<|im_end|>See you<|im_end|>", Text(encoder, Learned(sequence)));
        Assert.Contains(Learned(sequence)[^1], encoder.Ends);
    }

    [Fact]
    public void A_template_that_begins_text_and_answers_itself_does_so_once_and_only_answers_are_learned()
    {
        var encoder = Encoder(AlwaysBegins);
        var sequence = Assert.Single(encoder.Encode([Talk]).Sequences);
        Assert.Equal(
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nSee you<|eot_id|>",
            Text(encoder, sequence.Ids));
        Assert.Equal("Hello<|eot_id|>See you<|eot_id|>", Text(encoder, Learned(sequence)));
    }

    [Fact]
    public void An_answer_that_the_template_writes_otherwise_once_others_follow_is_not_learned_there()
    {
        var encoder = Encoder(Reasons);
        ChatTurn[] turns = [new("Hi", "<think>\nGreet.\n</think>\n\nHello"), new("Bye", "<think>\nPart.\n</think>\n\nSee you")];
        var sequence = Assert.Single(encoder.Encode([new ChatExample(null, turns)]).Sequences);
        Assert.Equal(
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
                + "<|im_start|>assistant\n<think>\nPart.\n</think>\n\nSee you<|im_end|>",
            Text(encoder, sequence.Ids));
        Assert.Equal("<think>\nPart.\n</think>\n\nSee you<|im_end|>", Text(encoder, Learned(sequence)));
    }

    [Fact]
    public void Calls_of_functions_are_learned_and_what_they_give_back_is_not()
    {
        var file = _folder.Write("talk.jsonl", """
            {"tools": [{"name": "sum"}], "messages": [{"role": "user", "content": "1 + 2?"}, {"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "sum", "arguments": {"a": [1, 2]}}}]}, {"role": "tool", "content": "3"}, {"role": "tool", "content": "three"}, {"role": "assistant", "content": [{"type": "text", "text": "It is "}, {"type": "text", "text": "3."}]}]}
            """);
        var encoder = Encoder(ChatMl);
        var example = Assert.Single(DataFile.Load(file));
        var sequence = Assert.Single(encoder.Encode([example]).Sequences);
        Assert.StartsWith(
            "<|im_start|>system\nYou help.<|im_end|>\n<tools>[{\"name\": \"sum\"}]</tools>\n<|im_start|>user\n1 + 2?<|im_end|>\n",
            Text(encoder, sequence.Ids), StringComparison.Ordinal);
        Assert.EndsWith(
            "<|im_end|>\n<|im_start|>tool\n3<|im_end|>\n<|im_start|>tool\nthree<|im_end|>\n<|im_start|>assistant\nIt is 3.<|im_end|>",
            Text(encoder, sequence.Ids), StringComparison.Ordinal);
        Assert.Equal(
            """<call>{"name": "sum", "arguments": {"a": [1, 2]}}</call><|im_end|>It is 3.<|im_end|>""", Text(encoder, Learned(sequence)));
    }

    [Theory]
    [InlineData(ChatMl)]
    [InlineData(AlwaysBegins)]
    [InlineData(Reasons)]
    public void Generation_sees_the_tokens_that_training_put_before_the_last_answer(string template)
    {
        var encoder = Encoder(template);
        var sequence = Assert.Single(encoder.Encode([Talk]).Sequences);
        var prompt = encoder.Prompt(Talk);
        Assert.Equal(sequence.Ids[..prompt.Length], prompt);
        Assert.Equal(TokenSequence.Ignored, sequence.Labels[prompt.Length - 1]);
        Assert.Equal(sequence.Ids[prompt.Length..], sequence.Labels[prompt.Length..]);
        Assert.Equal(prompt[..9], encoder.Prompt(Talk, 9));
    }

    [Theory]
    [InlineData(ChatMl)]
    [InlineData(AlwaysBegins)]
    [InlineData(Reasons)]
    public void A_limit_changes_no_token_within_it(string template)
    {
        var encoder = Encoder(template);
        var whole = Assert.Single(encoder.Encode([Talk]).Sequences);
        for (var length = 8; length <= whole.Ids.Length; length++)
        {
            var encoded = (encoder with { MaxLength = length, WhenTooLong = LongExamples.CutEnd }).Encode([Talk]);
            Assert.Equal(length == whole.Ids.Length ? 0 : 1, encoded.Truncated);
            foreach (var sequence in encoded.Sequences)
            {
                Assert.Equal(whole.Ids[..length], sequence.Ids);
                Assert.Equal(whole.Labels[..length], sequence.Labels);
            }
        }
    }

    [Fact]
    public void A_long_conversation_loses_its_first_turns_and_keeps_its_last_answer()
    {
        ChatTurn[] turns = [.. Enumerable.Range(0, 30).Select(i => new ChatTurn($"question {i}", $"answer {i}"))];
        var encoded = (Encoder(AlwaysBegins) with { MaxLength = 200 }).Encode([new ChatExample("Be kind.", turns)]);
        var text = Text(Encoder(AlwaysBegins), Assert.Single(encoded.Sequences).Ids);
        Assert.Equal((1, 0), (encoded.InputCut, encoded.AnswerCut));
        Assert.Contains("Be kind.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("question 0<", text, StringComparison.Ordinal);
        Assert.EndsWith("answer 29<|eot_id|>", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_that_ends_no_answer_has_the_last_one_ended_with_the_models_own_token()
    {
        var encoder = Encoder("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
        var sequence = Assert.Single(encoder.Encode([Talk with { System = null }]).Sequences);
        Assert.Equal("user: Hi\nassistant: Hello\nuser: Bye\nassistant: See you\n</s>", Text(encoder, sequence.Ids));
        Assert.EndsWith("See you\n</s>", Text(encoder, Learned(sequence)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_conversation_in_which_functions_may_be_called_takes_the_template_for_that()
    {
        _folder.Write(
            "tokenizer_config.json",
            """{"chat_template": [{"name": "default", "template": "plain {{ messages[-1].content }}"}, {"name": "tool_use", "template": "tools {{ messages[-1].content }}"}]}""");
        var encoder = Encoder(template: null);
        var calls = Talk with { Tools = JsonSerializer.Deserialize<JsonElement>("""[{"name": "f"}]""") };
        Assert.Equal("plain Bye", Text(encoder, encoder.Prompt(Talk)));
        Assert.Equal("tools Bye", Text(encoder, encoder.Prompt(calls)));
    }

    [Fact]
    public void A_form_that_is_named_goes_before_the_template()
    {
        Encoder(AlwaysBegins);
        var named = ExampleEncoder.Load(_folder.Path, Tokenizer.Load(_folder.Path), PromptTemplate.Alpaca, 1000, ChatForm.ChatMl);
        Assert.StartsWith("<s><|im_start|>system\nBe kind.", Text(named, named.Prompt(Talk)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_that_refuses_a_conversation_names_example_file_and_line()
    {
        var encoder = Encoder("a\n{% if messages[0].role == 'system' %}\n{{ raise_exception('no system messages') }}\n{% endif %}{{ messages[-1].content }}<|eot_id|>");
        var fault = Assert.Throws<InvalidDataException>(() => encoder.Encode([Talk with { System = null }, Talk])).Message;
        Assert.Equal($"example 2: {Path.Combine(_folder.Path, "chat_template.jinja")}:3: no system messages", fault);
    }

    [Fact]
    public void A_broken_template_does_no_harm_to_instructions()
    {
        var encoder = Encoder("{% if %}");
        Assert.Single(encoder.Encode([new InstructionExample("Say", null, "a")]).Sequences);
        Assert.Throws<InvalidDataException>(() => encoder.Encode([Talk]));
    }

    public void Dispose() => _folder.Dispose();

    private static int[] Learned(TokenSequence sequence) => [.. sequence.Labels.Where(label => label != TokenSequence.Ignored)];

    private static string Text(ExampleEncoder encoder, int[] ids) => encoder.Tokenizer.Decode(ids, skipSpecialTokens: false);

    private ExampleEncoder Encoder(string? template)
    {
        var file = JsonNode.Parse(File.ReadAllText(Vectors.Path("tokenizers", "bytelevel", "tokenizer.json")))!.AsObject();
        var added = file["added_tokens"]!.AsArray();
        var next = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel")).VocabularySize;
        foreach (var token in new[] { "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>" })
            added.Add(JsonSerializer.SerializeToNode(new { id = next++, content = token, special = true }));
        _folder.Write("tokenizer.json", file.ToJsonString());
        if (template is not null)
        {
            _folder.Write("chat_template.jinja", template);
            _folder.Write("tokenizer_config.json", """{"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true}""");
        }
        return ExampleEncoder.Load(_folder.Path, Tokenizer.Load(_folder.Path), PromptTemplate.Alpaca, 1000);
    }
}
