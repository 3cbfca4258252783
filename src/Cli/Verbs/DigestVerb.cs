using System.CommandLine;
using System.Text.Json;
using FedKSeed.Checkpoints;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed digest: what a federation's services must be told of its base model.</summary>
internal sealed class DigestVerb : IVerb
{
    public int Place => 85;

    public Command Create(VerbContext context)
    {
        var model = new Argument<DirectoryInfo>("MODEL") { Description = "Base model, a Hugging Face folder." };
        var json = CommonOptions.Json();
        var verb = new Command("digest", "Print the SHA-256 of a model's tensors: the BaseModelDigest of a federation and its workers.")
        {
            model, json,
        };
        verb.SetAction((parsed, cancel) =>
        {
            var digest = Of(parsed.GetRequiredValue(model), cancel);
            parsed.InvocationConfiguration.Output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(new { baseModelDigest = digest }, CommonOptions.JsonFormat) : digest);
            return Task.FromResult(ExitCode.Done);
        });
        return verb;
    }

    private static string Of(DirectoryInfo model, CancellationToken cancel)
    {
        if (!model.Exists)
            throw new UsageException([$"MODEL: there is no folder '{model.FullName}'."]);
        string[] faults = [.. UsageException.FaultsOf("MODEL", model.FullName, folder => Checkpoint.Open(folder).Dispose())];
        if (faults.Length > 0)
            throw new UsageException(faults);
        using var checkpoint = Checkpoint.Open(model.FullName);
        return checkpoint.Digest(cancel);
    }
}
