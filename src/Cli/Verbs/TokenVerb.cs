using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using StackExchange.Redis;

namespace FedKSeed.Cli.Verbs;

/// <summary>
/// fedkseed token: who may use the API of a store's services. It works on the store itself: that is how the first one comes to be.
/// </summary>
internal sealed class TokenVerb : IVerb
{
    private const string Variable = "Redis__Connection";

    private static readonly Dictionary<string, TokenRole> Roles = new(StringComparer.Ordinal)
    {
        ["reader"] = TokenRole.Reader,
        ["operator"] = TokenRole.Operator,
    };

    private readonly Option<string?> _redis = new("--redis")
    {
        HelpName = "CONNECTION",
        Description = $"StackExchange.Redis configuration of the store; {RedisPassword.Variable} gives its password. "
            + $"[default: {Variable} of the environment]",
    };

    public int Place => 34;

    public Command Create(VerbContext context)
    {
        var verb = new Command("token", "Give out, list and revoke what opens the API of a store's services.");
        verb.Subcommands.Add(New());
        verb.Subcommands.Add(List());
        verb.Subcommands.Add(Revoke());
        return verb;
    }

    private Command New()
    {
        var holder = new Option<string>("--holder")
        {
            HelpName = "NAME",
            Description = "Who gets it: logs say so of what is done with it.",
            Required = true,
        };
        var role = CommonOptions.Word<TokenRole>(
            "--role", Roles.Keys, "What it lets its holder do: read everything, or steer too.",
            word => Roles.TryGetValue(word, out var known) ? known : null);
        role.Required = true;
        var target = new Option<FileInfo?>("--to")
        {
            HelpName = "FILE",
            Description = "Where it is written, for its owner alone. [default: it is printed, once]",
        };
        var json = CommonOptions.Json();
        var verb = new Command("new", "Make a token. It cannot be had again: the store has a hash of it.")
        {
            holder, role, target, _redis, json,
        };
        verb.SetAction(async (parsed, cancel) =>
        {
            var (name, file) = (parsed.GetRequiredValue(holder), parsed.GetValue(target));
            await using var redis = await ConnectAsync(
                parsed, [SteeringWords.Fault(name, "") is null ? null : "--holder is to be printable ASCII characters, and not too many.",
                    .. FaultsOfNew(file)]);
            var tokens = new AccessTokens(redis, TimeProvider.System);
            Task<string> Make() => AskAsync(parsed, () => tokens.NewAsync(name, parsed.GetValue(role)!.Value, cancel));
            var (output, errors) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            if (file is not null)
            {
                await WriteAsync(file, Make);
                output.WriteLine(parsed.GetValue(json)
                    ? JsonSerializer.Serialize(new { holder = name, file = file.FullName }, CommonOptions.JsonFormat)
                    : $"A token of {name} is in {file.FullName}: --token-file reads it.");
                return ExitCode.Done;
            }
            var token = await Make();
            output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(new { holder = name, token }, CommonOptions.JsonFormat) : token);
            errors.WriteLine($"This is all there is of the token of {name}: keep it where nobody else reads it.");
            return ExitCode.Done;
        });
        return verb;
    }

    private Command List()
    {
        var json = CommonOptions.Json();
        var verb = new Command("list", "List who has a token: the tokens themselves nobody has but they.") { json, _redis };
        verb.SetAction(async (parsed, cancel) =>
        {
            await using var redis = await ConnectAsync(parsed, []);
            var all = await AskAsync(parsed, () => new AccessTokens(redis, TimeProvider.System).AllAsync(cancel));
            parsed.InvocationConfiguration.Output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(all, CommonOptions.JsonFormat)
                : all.Count == 0 ? "Nobody has a token."
                : FederationPages.Table(
                    ["Holder", "Role", "Since"],
                    all.Select(token => new[]
                    {
                        token.Holder, token.Role.ToString().ToLowerInvariant(),
                        token.Since.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture),
                    })));
            return ExitCode.Done;
        });
        return verb;
    }

    private Command Revoke()
    {
        var holder = new Argument<string>("NAME") { Description = "The holder: all tokens of that name are none any more." };
        var json = CommonOptions.Json();
        var verb = new Command("revoke", "Revoke all tokens of a holder.") { holder, _redis, json };
        verb.SetAction(async (parsed, cancel) =>
        {
            var name = parsed.GetRequiredValue(holder);
            await using var redis = await ConnectAsync(parsed, []);
            var count = await AskAsync(parsed, () => new AccessTokens(redis, TimeProvider.System).RevokeAsync(name, cancel));
            if (count == 0)
                throw new FailureException($"nobody called '{name}' has a token; fedkseed token list says who has one.");
            parsed.InvocationConfiguration.Output.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { holder = name, revoked = count }, CommonOptions.JsonFormat)
                : string.Create(CultureInfo.InvariantCulture, $"{count} of {name} revoked."));
            return ExitCode.Done;
        });
        return verb;
    }

    private static IEnumerable<string> FaultsOfNew(FileInfo? file)
    {
        if (file is null)
            yield break;
        if (file.Exists || Directory.Exists(file.FullName))
            yield return $"--to: '{file.FullName}' is there already: name another one.";
        else if (!Directory.Exists(file.DirectoryName))
            yield return $"--to: there is no folder '{file.DirectoryName}'.";
    }

    /// <summary>The file first: a token that nobody can read would go on opening doors.</summary>
    private static async Task WriteAsync(FileInfo file, Func<Task<string>> make)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using var text = new StreamWriter(file.FullName, options);
        try
        {
            await text.WriteLineAsync(await make());
            await text.FlushAsync();
        }
        catch
        {
            File.Delete(file.FullName);
            throw;
        }
    }

    /// <exception cref="UsageException">It is not said where, or Redis refuses.</exception>
    private async Task<ConnectionMultiplexer> ConnectAsync(ParseResult parsed, IEnumerable<string?> others)
    {
        var faults = others.OfType<string>().ToList();
        var connection = Connection(parsed);
        if (connection is null)
            faults.Add($"--redis is needed, or {Variable}: the store of the services, like host:port,ssl=true.");
        // It is not repeated: it may hold a password.
        else if (!RedisOptions.IsConfiguration(connection))
            faults.Add($"{(parsed.GetValue(_redis) is null ? Variable : "--redis")} must be like host:port,password=…,ssl=true.");
        if (faults.Count > 0)
            throw new UsageException(faults);
        return await AskAsync(parsed, async () => await ConnectionMultiplexer.ConnectAsync(ConfigurationOptions.Parse(connection!)));
    }

    private string? Connection(ParseResult parsed) =>
        (parsed.GetValue(_redis) ?? Environment.GetEnvironmentVariable(Variable)) is not { Length: > 0 } connection ? null
        : RedisOptions.IsConfiguration(connection)
            ? RedisPassword.With(connection, Environment.GetEnvironmentVariable(RedisPassword.Variable))
            : connection;

    /// <summary>What Redis does not do, as a sentence without what its configuration may hide.</summary>
    private async Task<T> AskAsync<T>(ParseResult parsed, Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
        {
            var connection = Connection(parsed)!;
            throw RedisRefusal.Of(fault, connection) is { } refusal
                ? new UsageException([$"--redis: {refusal} {RedisPassword.Variable} gives a password, too."])
                : new FailureException($"--redis: no Redis answers at {RedisRefusal.Addresses(connection)}: see that it runs there.");
        }
    }
}
