using System.Text.Json.Nodes;
using FedKSeed.Tests;
using FedKSeed.Tokenization.Templates;

namespace FedKSeed.Tokenization.Tests;

public sealed class ChatTemplateTests : IDisposable
{
    private static readonly JsonArray Talk = new(Message("user", "Hi"), Message("assistant", "Hello"));

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_template_is_rendered_under_the_settings_of_transformers()
    {
        var template = Template("""
            {{ bos_token }}
            {%- for m in messages %}
                {% if m.role == 'system' %}{% continue %}{% endif %}
            <{{ m['role'] }}>{{ m.content | trim }}{{ {'a': "<é>"} | tojson }}
            {% endfor %}
            {% if add_generation_prompt %}{{ strftime_now('%d %b %Y') }}{% endif %}
            """);
        Assert.Equal("<s><user>Hi{\"a\": \"<é>\"}\n<assistant>Hello{\"a\": \"<é>\"}\n26 Jul 2024", template.Render(Talk,
            addGenerationPrompt: true));
    }

    [Theory]
    [InlineData("{{ messages }}\n\n{{ raise_exception('no such role') }}", 3, "no such role")]
    [InlineData("a\n{% for m in messages %}\n{{ m.content.foo() }}\n{% endfor %}", 3, "")]
    [InlineData("a\n{# {{ b }} \n #}\n{% if b %}\n", 4, "")]
    [InlineData("a\nb {{ 'c }}\n d", 2, "")]
    public void One_that_cannot_be_rendered_names_file_and_line(string source, int line, string reason)
    {
        var fault = Assert.Throws<InvalidDataException>(() => Template(source).Render(Talk, addGenerationPrompt: false)).Message;
        Assert.StartsWith($"{Path.Combine(_folder.Path, "chat_template.jinja")}:{line}: ", fault, StringComparison.Ordinal);
        Assert.Contains(reason, fault, StringComparison.Ordinal);
    }

    // What Python's jinja2 3.1.2 makes of them.
    [Theory]
    [InlineData("{{ '\\n a b\\n'.strip('\\n') }}|{{ 'xxaxx'.lstrip('x') }}|{{ 'xxaxx'.rstrip('x') }}", " a b|axx|xxa")]
    [InlineData("{{ '\u001c\u0085\ufeffa\ufeff\u0085' | trim }}", "\ufeffa\ufeff")]
    [InlineData("{{ none }}|{{ none | trim }}|{{ true }}|{{ nothing }}|{% set a = 1 %}", "None|None|True||")]
    [InlineData("{{ data | tojson }}", """{"whole": 5.0, "small": 1e-05, "large": 1e+16, "id": 1234567890123456789, "int": 3}""")]
    [InlineData("{{ 'a' == 'a' }}|{{ 1 == '1' }}|{{ [1, 2] == [1, 2] }}", "True|False|True")]
    [InlineData("{{ [1] in [[1]] }}|{{ 'b' not in ['a'] }}", "True|True")]
    [InlineData("{{ '😀é' | length }}|{{ 'aBC' | capitalize }}|{{ 'a' ~ 1 ~ none }}", "2|Abc|a1None")]
    [InlineData("{{ 'a\\r\\n\\n'.rstrip('\\n') }}|{{ 'a\\r\\nb'[:2] }}|{{ 'e\u0301' | length }}|{{ 'e\u0301x'[1:] }}", "a\r|a\r|2|\u0301x")]
    public void It_is_rendered_as_Python_does(string source, string expected)
    {
        JsonObject message = new()
        {
            ["role"] = "user",
            ["data"] = JsonNode.Parse("""{"whole": 5.0, "small": 0.00001, "large": 1e16, "id": 1234567890123456789, "int": 3}"""),
        };
        Assert.Equal(expected, Template("{% set data = messages[0].data %}" + source).Render([message], addGenerationPrompt: false));
    }

    [Theory]
    [InlineData("{{ 'a' + messages }}")]
    [InlineData("{{ 'a' + 1 }}")]
    [InlineData("{{ 'a' + none }}")]
    public void Text_is_not_added_to_what_is_none(string source) =>
        Assert.Throws<InvalidDataException>(() => Template(source).Render(Talk, addGenerationPrompt: false));

    [Theory]
    [InlineData("{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}")]
    [InlineData("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")]
    [InlineData("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}")]
    public void One_that_wants_too_much_is_given_up_and_another_can_still_be_rendered(string source)
    {
        Assert.Throws<InvalidDataException>(() => Template(source).Render(Talk, addGenerationPrompt: false));
        Assert.Equal("Hi", Template("{{ messages[0].content }}").Render(Talk, addGenerationPrompt: false));
    }

    [Fact]
    public void Templates_are_found_where_transformers_looks_for_them_and_by_name()
    {
        Assert.Null(ChatTemplateFiles.Load(_folder.Path));
        _folder.Write(
            "tokenizer_config.json",
            """{"chat_template": [{"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"}]}""");
        Assert.Equal("one", ChatTemplateFiles.Load(_folder.Path)!.Source);
        Assert.Equal("two", ChatTemplateFiles.Load(_folder.Path, "tool_use")!.Source);
        Assert.Contains(
            "default, tool_use",
            Assert.Throws<InvalidDataException>(() => ChatTemplateFiles.Load(_folder.Path, "three")).Message,
            StringComparison.Ordinal);
        Assert.Equal("own", Template("own").Source);
    }

    public void Dispose() => _folder.Dispose();

    private static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    private ChatTemplate Template(string source)
    {
        _folder.Write("chat_template.jinja", source);
        if (!File.Exists(Path.Combine(_folder.Path, "tokenizer_config.json")))
            _folder.Write("tokenizer_config.json", """{"bos_token": {"content": "<s>"}}""");
        return ChatTemplateFiles.Load(_folder.Path)!;
    }
}
