using FedKSeed.Cli.Run;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

public sealed class UsageTests
{
    [Fact]
    public async Task Every_wrong_setting_of_a_run_is_named_at_once_and_nothing_starts()
    {
        var output = Path.Combine(Path.GetTempPath(), "fedkseed-tests", Path.GetRandomFileName());

        var run = await CommandRun.Of(
            "run", "--output", output, "--model", "/nowhere", "--data", "/nowhere-either", "--rounds", "0", "--steps", "abc", "--sampling",
            "best", "--quorum", "2", "--scheme", "torch", "--redis-port", "70000", "--threads", "0", "--deadline", "10:00:00");

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[]
        {
            "--model: there is no folder '/nowhere'", "--data: there is no folder", "--rounds must be between 1 and 1000000",
            "--steps must be a whole number", "--sampling must be uniform or importance or shrunk-importance",
            "--quorum must be between 0.01 and 1",
            "--scheme must be philox-rademacher/1 or philox-gaussian/1 or philox-rank/1",
            "--redis-port must be a whole number between 1 and 65535",
            "--threads must be", "--deadline must be between 00:00:01 and 00:20:00",
        })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }

    [Fact]
    public async Task Every_broken_line_of_data_is_named_with_its_file()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;
        File.WriteAllText(
            Path.Combine(folder, "client-1.jsonl"), "{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":\"a\"}\nnot json\n");
        File.WriteAllText(Path.Combine(folder, "held-out.jsonl"), "{\"instruction\":1,\"output\":\"b\"}\n");

        var run = await CommandRun.Of("run", "--data", folder, "--model", folder);

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[]
        {
            "client-1.jsonl:2:", "client-1.jsonl:3:", "held-out.jsonl:1:", "config.json is missing",
            "it has neither tokenizer.json nor tokenizer.model",
            "neither model.safetensors",
        })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_client_whose_name_no_queue_could_have_is_named_with_its_file_before_anything_starts()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;
        string[] wrong = ["client-A", "client-ü", "client-a b", "client-" + new string('x', 63)];
        foreach (var name in wrong.Append("client-a").Append("held-out"))
            File.WriteAllText(Path.Combine(folder, name + ".jsonl"), """{"instruction": "a", "output": "b"}""");
        var plan = new RunPlan { Data = folder, Model = Path.Combine(Vectors.Folder, "..", "..", "samples", "model"), Prompt = null };

        var faults = plan.Faults();

        Assert.Equal(wrong.Length, faults.Count);
        Assert.All(wrong, name => Assert.Contains(
            faults, fault => fault.StartsWith($"--data: {name}.jsonl names its client '{name}'", StringComparison.Ordinal)));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Clients_may_have_their_data_in_different_forms_and_files_but_each_in_one()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;
        File.WriteAllText(Path.Combine(folder, "client-1.json"), """[{"instruction": "a", "response": "b"}]""");
        File.WriteAllText(
            Path.Combine(folder, "client-2.jsonl"),
            """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""");
        File.WriteAllText(Path.Combine(folder, "held-out.json"), """{"Definition": "a", "Instances": [{"input": "b", "output": ["c"]}]}""");
        var plan = new RunPlan { Data = folder, Model = Path.Combine(Vectors.Folder, "..", "..", "samples", "model"), Prompt = null };

        Assert.Equal(["client-1.json", "client-2.jsonl"], plan.ClientFiles().Values.Select(Path.GetFileName));
        Assert.StartsWith("--chat-form is needed, one of chatml, llama2, llama3", Assert.Single(plan.Faults()), StringComparison.Ordinal);
        Assert.Empty((plan with { ChatForm = ChatForm.ChatMl }).Faults());
        Assert.Contains(
            (plan with { Format = new DataFormat("dolly") }).Faults(),
            fault => fault.Contains("client-2.jsonl:1: \"instruction\" is missing", StringComparison.Ordinal));

        File.WriteAllText(Path.Combine(folder, "client-1.jsonl"), """{"instruction": "a", "response": "b"}""");
        Assert.Contains("--data: client-1 has several files: client-1.jsonl, client-1.json.", plan.Faults());
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_folder_that_holds_no_run_cannot_be_resumed()
    {
        var run = await CommandRun.Of("run", "--resume", "/nowhere", "--rounds", "3");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("is not the folder of a run", run.Errors, StringComparison.Ordinal);
        Assert.Contains("--rounds cannot be changed", run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("replay")]
    [InlineData("verify")]
    [InlineData("partition")]
    [InlineData("evaluate")]
    [InlineData("generate")]
    [InlineData("doctor")]
    [InlineData("new")]
    [InlineData("open")]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("watch")]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("close")]
    [InlineData("remove")]
    [InlineData("exclude")]
    [InlineData("readmit")]
    [InlineData("pull")]
    [InlineData("token")]
    public async Task Every_verb_explains_itself(string verb)
    {
        var run = await CommandRun.Of(verb, "--help");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains($"{verb} [options]", run.Output, StringComparison.Ordinal);
        Assert.Empty(run.Errors);
    }

    [Fact]
    public async Task An_unknown_verb_is_wrong_usage() => Assert.Equal(2, (await CommandRun.Of("federate")).ExitCode);
}
