using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace FedKSeed.Cli.Tests;

/// <summary>evaluate and generate, on the model of the samples.</summary>
public sealed class ModelVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;

    [Fact]
    public async Task An_evaluation_gives_all_measures_for_people_and_for_machines()
    {
        string[] arguments =
        [
            "evaluate", "--model", Sample("model"), "--data", Sample("data", "held-out.jsonl"), "--prompt", Sample("prompt.json"),
            "--limit", "12", "--max-new-tokens", "8", "--threads", "1",
        ];
        var text = await CommandRun.Of(arguments);
        var json = await CommandRun.Of([.. arguments, "--json"]);

        Assert.Equal((0, 0), (text.ExitCode, json.ExitCode));
        var scores = JsonDocument.Parse(json.Output).RootElement;
        var loss = scores.GetProperty("loss").GetDouble();
        Assert.Equal(12, scores.GetProperty("examples").GetInt32());
        Assert.Equal(Math.Exp(loss), scores.GetProperty("perplexity").GetDouble(), 1e-9 * Math.Exp(loss));
        Assert.InRange(scores.GetProperty("rougeL").GetDouble(), 0.1, 1);
        Assert.Contains(loss.ToString("F4", CultureInfo.InvariantCulture), text.Output, StringComparison.Ordinal);
        Assert.Contains("perplexity", text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', text.Output);
    }

    [Fact]
    public async Task A_narrower_type_gives_nearly_the_same_loss()
    {
        async Task<double> Loss(string type)
        {
            var run = await CommandRun.Of(
                "evaluate", "--model", Sample("model"), "--data", Sample("data", "held-out.jsonl"), "--prompt", Sample("prompt.json"),
                "--limit", "8", "--max-new-tokens", "2", "--threads", "1", "--dtype", type, "--json");
            Assert.Equal((0, ""), (run.ExitCode, run.Errors.Replace("Scoring 8 examples (alpaca)\n", "", StringComparison.Ordinal)));
            return JsonDocument.Parse(run.Output).RootElement.GetProperty("loss").GetDouble();
        }

        var (wide, narrow) = (await Loss("float32"), await Loss("bfloat16"));
        Assert.NotEqual(wide, narrow);
        Assert.Equal(wide, narrow, 0.03 * wide);
    }

    [Fact]
    public async Task What_was_cut_off_is_counted()
    {
        var data = Write("long.jsonl", $$"""
            {"instruction": "tag", "output": "{{string.Join(' ', Enumerable.Repeat("horse", 40))}}"}
            {"instruction": "tag", "output": "horse"}
            """);
        var run = await CommandRun.Of(
            "evaluate", "--model", Sample("model"), "--data", data, "--prompt", Sample("prompt.json"), "--max-tokens", "16",
            "--max-new-tokens", "4", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(1, JsonDocument.Parse(run.Output).RootElement.GetProperty("truncated").GetInt32());
    }

    [Fact]
    public async Task A_model_is_asked_as_its_own_prompt_says_unless_another_is_named()
    {
        async Task<double> Loss(params string[] more)
        {
            var run = await CommandRun.Of([
                "evaluate", "--model", Sample("model"), "--data", Sample("data", "held-out.jsonl"), "--limit", "4", "--max-new-tokens", "2",
                "--threads", "1", "--json", .. more]);
            Assert.Equal(0, run.ExitCode);
            return JsonDocument.Parse(run.Output).RootElement.GetProperty("loss").GetDouble();
        }

        var own = await Loss();
        Assert.Equal(own, await Loss("--prompt", Sample("prompt.json")));
        var other = Write("other.json", "{\"withInput\": \"{input}{instruction}\", \"withoutInput\": \"{instruction}\"}");
        Assert.NotEqual(own, await Loss("--prompt", other));
        Assert.Equal(File.ReadAllText(Sample("prompt.json")), File.ReadAllText(Sample("model", "prompt_template.json")));
    }

    [Fact]
    public async Task A_file_without_an_example_that_fits_is_named_with_a_remedy_before_scoring()
    {
        var long512 = string.Join(' ', Enumerable.Repeat("horse", 500));
        var data = Write("long.jsonl", $$"""{"instruction": "tag", "output": "{{long512}}"}""");
        string[] arguments = ["evaluate", "--model", Sample("model"), "--data", data, "--max-tokens", "16", "--max-new-tokens", "4"];
        var run = await CommandRun.Of([.. arguments, "--long", "drop"]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"--data: {data}: no example has an answer within 16 tokens", run.Errors, StringComparison.Ordinal);
        Assert.Contains("--max-tokens", run.Errors, StringComparison.Ordinal);

        var cut = await CommandRun.Of(arguments);
        Assert.Contains(
            "long.jsonl: 1 of 1 examples are longer than 16 tokens: 0 lost part of their input, 1 the end", cut.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_used_as_a_model_is_wrong_usage_whichever_file_is_at_fault()
    {
        foreach (var (file, text, said) in new[]
        {
            ("config.json", "{\"model_type\": \"mamba\"}", "model_type is mamba"), ("tokenizer.json", "{}", "tokenizer.json"),
            ("tokenizer.json", "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
            ("model.safetensors", "short", "header length"),
        })
        {
            var folder = Directory.CreateDirectory(Path.Combine(_folder, Path.GetRandomFileName())).FullName;
            foreach (var path in Directory.EnumerateFiles(Sample("model")))
                File.Copy(path, Path.Combine(folder, Path.GetFileName(path)));
            File.WriteAllText(Path.Combine(folder, file), text);
            foreach (var arguments in new string[][]
            {
                ["evaluate", "--model", folder, "--data", Sample("data", "held-out.jsonl")],
                ["generate", "--model", folder, "--prompt-text", "a"],
                ["run", "--model", folder],
            })
            {
                var run = await CommandRun.Of(arguments);
                Assert.Equal(2, run.ExitCode);
                Assert.Contains(said, run.Errors, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Every_fault_of_an_evaluation_is_named_at_once()
    {
        var run = await CommandRun.Of(
            "evaluate", "--model", "/nowhere", "--prompt", "/no-prompt.json", "--data",
            Write("broken.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": 1}\nnonsense\n"));

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[] {
            "--model: there is no folder '/nowhere'", "broken.jsonl:2: \"prompt\" must be a string", "broken.jsonl:3:", "--prompt: " })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Conversations_need_a_form_that_the_model_or_the_caller_names()
    {
        var data = Write(
            "chat.jsonl",
            """{"messages": [{"role": "user", "content": "tag horse"}, {"role": "assistant", "content": "horse animal"}]}""");
        string[] arguments = ["evaluate", "--model", Sample("model"), "--data", data, "--max-new-tokens", "4"];

        var unnamed = await CommandRun.Of(arguments);
        Assert.Equal(1, unnamed.ExitCode);
        Assert.Contains("name one of chatml, llama2, llama3", unnamed.Errors, StringComparison.Ordinal);
        Assert.Equal(0, (await CommandRun.Of([.. arguments, "--chat-form", "chatml"])).ExitCode);
    }

    [Fact]
    public async Task A_drawn_text_is_the_same_for_a_seed_and_another_for_another()
    {
        async Task<string> Drawn(string seed)
        {
            var run = await CommandRun.Of(
                Generate("--instruction", "file this entry", "--input", "horse", "--temperature", "2", "--top-k", "200", "--seed", seed));
            Assert.Equal((0, ""), (run.ExitCode, run.Errors));
            return run.Output;
        }

        var first = await Drawn("1");
        Assert.Equal(first, await Drawn("1"));
        var others = new List<string>();
        for (var seed = 2; seed < 6; seed++)
            others.Add(await Drawn(seed.ToString(CultureInfo.InvariantCulture)));
        Assert.Contains(others, other => other != first);
    }

    [Fact]
    public async Task Lines_of_standard_input_are_answered_as_the_same_text_on_the_command_line_is()
    {
        var alone = await CommandRun.Of(Generate("--prompt-text", "file this entry : horse ="));
        using var lines = new StringReader("file this entry : horse =\n\nfile this entry : horse =\n");
        using var output = new StringWriter();
        using var errors = new StringWriter();

        var code = await FedKSeedCommand.InvokeAsync(Generate("--raw"), output, errors, lines);

        Assert.Equal((0, ""), (code, errors.ToString()));
        Assert.Equal(alone.Output + alone.Output, output.ToString());
    }

    [Fact]
    public async Task A_data_file_is_answered_line_by_line_in_its_order()
    {
        var data = Write("questions.json", """
            [{"instruction": "file this entry", "input": "horse", "output": "a"},
             {"instruction": "file this entry", "input": "glove", "output": "b"}]
            """);
        var run = await CommandRun.Of(Generate("--data", data));

        Assert.Equal(0, run.ExitCode);
        var answers = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(
            ["file this entry horse", "file this entry glove"], answers.Select(answer => answer.GetProperty("question").GetString()));
        Assert.Equal(["a", "b"], answers.Select(answer => answer.GetProperty("wanted").GetString()));
        var alone = await CommandRun.Of(Generate("--instruction", "file this entry", "--input", "glove"));
        Assert.Equal(alone.Output.TrimEnd('\n'), answers[1].GetProperty("answer").GetString());
    }

    [Fact]
    public async Task Options_that_make_no_sense_together_are_named_at_once()
    {
        var run = await CommandRun.Of(
            "generate", "--model", "/nowhere", "--prompt-text", "a", "--data", "/no-data.jsonl", "--input", "b", "--raw");

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[] {
            "--prompt-text and --data exclude each other", "--input goes with --instruction", "--raw is about",
            "--model: there is no folder", "--data: " })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);

        var wrong = await CommandRun.Of(
            "generate", "--model", Sample("model"), "--top-p", "2", "--temperature", "hot", "--max-new-tokens", "0", "--chat-form",
            "morse");
        Assert.Equal(2, wrong.ExitCode);
        foreach (var said in new[]
        {
            "--top-p must be a number between", "--temperature must be a number between 0 and 100",
            "--max-new-tokens must be a whole number between 1 and", "--chat-form must be chatml or llama2 or llama3",
        })
            Assert.Contains(said, wrong.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prompt_that_fills_the_model_is_a_failure()
    {
        var run = await CommandRun.Of(Generate("--prompt-text", string.Join(' ', Enumerable.Repeat("horse", 5000))));

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("leaves no room for an answer", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_is_one_line_for_machines_and_what_people_see()
    {
        var arguments = Generate("--instruction", "file the item", "--input", "violin");
        var (text, json) = (await CommandRun.Of(arguments), await CommandRun.Of([.. arguments, "--json"]));

        var answer = JsonDocument.Parse(Assert.Single(json.Output.TrimEnd().Split('\n'))).RootElement;
        Assert.Equal("file the item violin", answer.GetProperty("question").GetString());
        Assert.Equal(text.Output.TrimEnd(), answer.GetProperty("answer").GetString());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string[] Generate(params string[] arguments) =>
        [
            "generate", "--model", Sample("model"), "--template", Sample("prompt.json"), "--max-new-tokens", "6", "--threads", "1",
            .. arguments
        ];

    private static string Sample(params string[] parts) => Path.Combine([SamplesBeside(), .. parts]);

    private static string SamplesBeside([CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "samples");

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
