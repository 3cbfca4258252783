#pragma warning disable RCS0056 // records are lines, as in the files that people have
using FedKSeed.Tests;

namespace FedKSeed.InstructionData.Tests;

public sealed class ModelPromptTests : IDisposable
{
    private static readonly PromptTemplate Own = new("{instruction} : {input} =\n", "{instruction} =\n");

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_prompt_is_read_back_from_the_model_that_it_was_put_beside()
    {
        Assert.Equal(new ModelPrompt(PromptTemplate.Alpaca, null), ModelPrompt.Of(_folder.Path));
        foreach (var prompt in new[] { new ModelPrompt(Own, null), new ModelPrompt(Own, ChatForm.Llama3) })
        {
            prompt.Write(_folder.Path);
            Assert.Equal(prompt, ModelPrompt.Of(_folder.Path));
        }
        // It is a template like any other, for --prompt.
        Assert.Equal(Own, PromptTemplate.Load(Path.Combine(_folder.Path, ModelPrompt.FileName)));
    }

    [Fact]
    public void What_is_named_goes_before_what_lies_there()
    {
        new ModelPrompt(Own, ChatForm.Llama3).Write(_folder.Path);
        var named = _folder.Write("named.json", """{"withInput": "{instruction}|{input}", "withoutInput": "{instruction}"}""");
        Assert.Equal(new ModelPrompt(new("{instruction}|{input}", "{instruction}"), ChatForm.ChatMl), ModelPrompt.Of(_folder.Path, named, ChatForm.ChatMl));
    }

    [Fact]
    public void A_model_is_asked_in_conversation_if_it_was_tuned_on_that_or_brings_nothing_but_a_chat_template()
    {
        Assert.False(ModelPrompt.Of(_folder.Path).IsConversation);
        _folder.Write("chat_template.jinja", "{{ messages[0].content }}");
        Assert.True(ModelPrompt.Of(_folder.Path).IsConversation);
        new ModelPrompt(Own, null).Write(_folder.Path);
        Assert.False(ModelPrompt.Of(_folder.Path).IsConversation);
        new ModelPrompt(Own, null) { IsConversation = true }.Write(_folder.Path);
        Assert.True(ModelPrompt.Of(_folder.Path).IsConversation);
        Assert.False(ModelPrompt.Of(_folder.Path, Path.Combine(_folder.Path, ModelPrompt.FileName)).IsConversation);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""{"withInput": "{instruction}", "withoutInput": "{instruction}"}""")]
    [InlineData("""{"withInput": "{instruction}{input}", "withoutInput": "{instruction}", "chatForm": "morse"}""")]
    public void A_file_that_is_no_prompt_is_named(string text)
    {
        var path = _folder.Write(ModelPrompt.FileName, text);
        Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => ModelPrompt.Of(_folder.Path)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();
}
