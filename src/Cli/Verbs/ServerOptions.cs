using System.CommandLine;
using FedKSeed.Cli.Remote;
using FedKSeed.Contracts;

namespace FedKSeed.Cli.Verbs;

/// <summary>What every verb has that asks the services for something: where they are, and who asks.</summary>
internal sealed class ServerOptions
{
    private const string Variable = "FEDKSEED_SERVER", Group = "Server", Form = "an address such as https://federations.example:8443";

    private readonly Option<Uri?> _server = new("--server")
    {
        HelpName = "URL",
        Description = $"Where a RoundService serves its API. [default: {Variable} of the environment]",
        CustomParser = argument =>
        {
            if (AddressOf(argument.Tokens[0].Value) is { } address)
                return address;
            argument.AddError($"--server must be {Form}.");
            return null;
        },
    };

    private readonly Option<FileInfo?> _token = new("--token-file")
    {
        HelpName = "FILE",
        Description = $"File with the token, its owner's alone. [default: the token is {TokenFile.Variable} of the environment, or there "
            + "is none]",
    };

    public ServerOptions() => All = [_server.In(Group), _token.In(Group)];

    public IReadOnlyList<Option> All { get; }

    /// <summary>Whether a server was named here.</summary>
    public bool IsTyped(ParseResult parsed) => parsed.GetResult(_server) is { Implicit: false };

    /// <param name="others">What else is wrong with the arguments: everything is said at once.</param>
    /// <exception cref="UsageException">There is no server to ask, no token in the file, or something else was wrong already.</exception>
    public FederationServer Connect(ParseResult parsed, params IEnumerable<string?> others)
    {
        var faults = others.OfType<string>().ToList();
        var named = Environment.GetEnvironmentVariable(Variable);
        var address = parsed.GetValue(_server) ?? (string.IsNullOrEmpty(named) ? null : AddressOf(named));
        if (address is null)
            faults.Add(string.IsNullOrEmpty(named)
                ? $"--server is needed, or {Variable}: where a RoundService serves its API, {Form}."
                : $"{Variable} must be {Form}.");
        var token = parsed.GetValue(_token) is { } file
            ? TokenFile.Read("--token-file", file, faults)
            : Environment.GetEnvironmentVariable(TokenFile.Variable) is { Length: > 0 } text ? text.Trim() : null;
        if (token is not null && !TokenFile.IsToken(token))
            faults.Add($"{TokenFile.Variable} is no token, which is one word.");
        return faults.Count == 0 ? new FederationServer(address!, token) : throw new UsageException(faults);
    }

    /// <summary>The federation that a verb is about.</summary>
    public static Argument<string> Federation() => new("NAME") { Description = "Name of the federation." };

    /// <summary>What no name of a federation or of a client is.</summary>
    public static string? FaultOfName(string argument, string name) =>
        Names.IsSound(name) ? null : $"{argument}: '{name}' is no name, which is {Names.Rule}.";

    /// <summary>Passwords and queries have no place in it.</summary>
    private static Uri? AddressOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" && address.Host.Length > 0
            && address is { UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 }
            ? address
            : null;
}
