using System.Text.Json;
using FedKSeed.Cli.Run;
using FedKSeed.LocalServers;
using FedKSeed.LogStore;

namespace FedKSeed.Cli.Cluster;

/// <summary>A process of a cluster.</summary>
/// <param name="Health">Answers whether it is ready.</param>
internal sealed record ClusterProcess(string Name, int Id, Uri Health);

/// <summary>Where a running cluster can be reached: cluster.json in its folder, there while it runs.</summary>
/// <param name="RoundService">Serves the API.</param>
/// <param name="Token">Of an operator; no more than this run of the cluster.</param>
internal sealed record ClusterFile(
    string Federation, string Redis, RabbitMqNode Broker, Uri RoundService, string Token, IReadOnlyList<ClusterProcess> Services)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public static string In(string folder) => Path.Combine(folder, "cluster.json");

    /// <summary>For its owner alone, without the password of its Redis.</summary>
    public void Write(string folder)
    {
        var shown = this with { Redis = RedisPassword.Without(Redis) };
        OwnersFile.Write(In(folder), JsonSerializer.Serialize(shown, Json), isPrivate: true);
    }

    /// <exception cref="FailureException">No cluster runs there.</exception>
    public static ClusterFile Read(string folder)
    {
        var file = In(folder);
        if (!File.Exists(file))
            throw new FailureException($"no cluster runs in '{folder}': there is no {Path.GetFileName(file)} in it.");
        try
        {
            return JsonSerializer.Deserialize<ClusterFile>(File.ReadAllText(file), Json) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw new FailureException($"'{file}' is not what a running cluster writes: if one runs there, stop it and --resume it.");
        }
    }
}
