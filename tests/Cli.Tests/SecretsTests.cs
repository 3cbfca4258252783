using FedKSeed.Cli.Run;

namespace FedKSeed.Cli.Tests;

public sealed class SecretsTests
{
    [Fact, System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void A_run_s_file_holds_no_password_and_is_its_owner_s_alone_when_it_holds_a_connection()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;
        var (path, open) = (Path.Combine(folder, "federation.json"), Path.Combine(folder, "open.json"));
        File.WriteAllText(path, "an older one, for everybody");

        new RunPlan { Redis = "redis.example:6379,password=hidden,ssl=True" }.Write(path);
        new RunPlan().Write(open);

        Assert.DoesNotContain("hidden", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.StartsWith("redis.example:6379", RunPlan.Read(path).Redis, StringComparison.Ordinal);
        Assert.Contains("ssl=True", RunPlan.Read(path).Redis, StringComparison.Ordinal);
        Assert.NotEqual(File.GetUnixFileMode(path), File.GetUnixFileMode(open));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_password_is_added_where_there_is_none_and_nowhere_else()
    {
        Assert.Equal("a:1,password=new", LogStore.RedisPassword.With("a:1", "new"));
        Assert.Equal("a:1,password=own", LogStore.RedisPassword.With("a:1,password=own", "new"));
        Assert.Equal("a:1", LogStore.RedisPassword.With("a:1", null));
        Assert.Equal("a:1", LogStore.RedisPassword.Without("a:1"));
    }
}
