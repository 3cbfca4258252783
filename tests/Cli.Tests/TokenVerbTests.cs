using FedKSeed.Cli.Run;
using FedKSeed.LogStore;
using FedKSeed.Tests;
using StackExchange.Redis;

namespace FedKSeed.Cli.Tests;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class TokenVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task A_token_is_given_out_once_listed_by_its_holder_and_revoked()
    {
        using var store = EmbeddedRedis.Start(Path.Combine(_folder.Path, "store"), null);
        var file = Path.Combine(_folder.Path, "ada.token");

        var printed = await CommandRun.Of("token", "new", "--redis", store.Connection, "--holder", "grace", "--role", "reader");
        var written = await CommandRun.Of(
            "token", "new", "--redis", store.Connection, "--holder", "ada", "--role", "operator", "--to", file);
        var again = await CommandRun.Of(
            "token", "new", "--redis", store.Connection, "--holder", "ada", "--role", "operator", "--to", file);
        var list = await CommandRun.Of("token", "list", "--redis", store.Connection);
        await using var redis = await ConnectionMultiplexer.ConnectAsync(store.Connection);
        var tokens = new AccessTokens(redis, TimeProvider.System);
        var (ofGrace, ofAda) = (printed.Output.Trim(), File.ReadAllText(file).Trim());
        var known = await tokens.FindAsync(ofAda, TestContext.Current.CancellationToken);
        var revoked = await CommandRun.Of("token", "revoke", "ada", "--redis", store.Connection);
        var nobody = await CommandRun.Of("token", "revoke", "ada", "--redis", store.Connection);

        Assert.Equal((0, 0, 2), (printed.ExitCode, written.ExitCode, again.ExitCode));
        Assert.Equal(TokenRole.Reader, (await tokens.FindAsync(ofGrace, TestContext.Current.CancellationToken))!.Role);
        Assert.Equal(("ada", TokenRole.Operator), (known!.Holder, known.Role));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.DoesNotContain(ofAda, written.Output + written.Errors + list.Output, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^ada +operator +20", list.Output);
        Assert.Matches(@"(?m)^grace +reader +20", list.Output);
        Assert.Equal((0, 1), (revoked.ExitCode, nobody.ExitCode));
        Assert.Null(await tokens.FindAsync(ofAda, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Without_a_store_no_token_is_made_and_no_file_is_left()
    {
        var file = Path.Combine(_folder.Path, "ada.token");

        var away = await CommandRun.Of(
            "token", "new", "--redis", "127.0.0.1:1,connectRetry=0,connectTimeout=500", "--holder", "ada", "--role", "operator", "--to",
            file);
        var unsaid = await CommandRun.Of("token", "list");

        Assert.Equal((1, 2), (away.ExitCode, unsaid.ExitCode));
        Assert.Contains("no Redis answers at 127.0.0.1:1", away.Errors, StringComparison.Ordinal);
        Assert.Contains("--redis is needed", unsaid.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(file));
    }

    public void Dispose() => _folder.Dispose();
}
