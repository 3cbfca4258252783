using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using FedKSeed.Bus;
using FedKSeed.ClientWorker;
using FedKSeed.LogStore;
using FedKSeed.RoundService;
using YamlDotNet.RepresentationModel;

namespace FedKSeed.Deploy.Tests;

/// <summary>What can be said of deploy/ without a container engine.</summary>
public partial class RecipeTests
{
    private static readonly Dictionary<string, Type> Sections = new()
    {
        ["Bus"] = typeof(BusOptions),
        ["Redis"] = typeof(RedisOptions),
        ["RoundService"] = typeof(RoundServiceOptions),
        ["Worker"] = typeof(WorkerOptions),
        ["Memberships"] = typeof(List<MembershipOptions>),
    };

    private static readonly string Folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../deploy"));

    public static TheoryData<string> YamlFiles =>
        [.. Directory.EnumerateFiles(Folder, "*.yaml", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folder, file))];

    [Theory, MemberData(nameof(YamlFiles))]
    public void A_recipe_parses_without_repeated_keys(string file) => Assert.NotEmpty(Read(file));

    [Theory, MemberData(nameof(YamlFiles))]
    public void A_recipe_sets_only_settings_that_there_are(string file)
    {
        foreach (Match variable in Variable().Matches(File.ReadAllText(Path.Combine(Folder, file))))
            Assert.True(Exists(variable.Value.Split("__")), $"{file}: there is no setting {variable.Value}.");
    }

    [Fact]
    public void A_misspelt_setting_would_be_noticed() => Assert.False(Exists(["Memberships", "0", "BaseModelDigests"]));

    [Fact]
    public void Everything_that_the_kustomization_names_is_there()
    {
        var root = (YamlMappingNode)Read("kubernetes/kustomization.yaml").Single();
        foreach (var resource in (YamlSequenceNode)root["resources"])
            Assert.True(File.Exists(Path.Combine(Folder, "kubernetes", ((YamlScalarNode)resource).Value!)), resource.ToString());
        var listed = ((YamlSequenceNode)root["resources"]).Select(node => ((YamlScalarNode)node).Value!);
        Assert.Equal(
            Directory.EnumerateFiles(Path.Combine(Folder, "kubernetes"), "*.yaml").Select(Path.GetFileName)
                .Where(name => name != "kustomization.yaml")
                .Order(),
            listed.Order());
    }

    [Fact]
    public void Every_object_has_a_kind_and_a_name_and_selects_the_pods_it_makes()
    {
        foreach (var document in Directory.EnumerateFiles(Path.Combine(Folder, "kubernetes"), "*.yaml")
            .Where(file => !file.EndsWith("kustomization.yaml", StringComparison.Ordinal))
            .SelectMany(file => Read(Path.GetRelativePath(Folder, file))).Cast<YamlMappingNode>())
        {
            Assert.NotEmpty(((YamlScalarNode)document["kind"]).Value!);
            Assert.NotEmpty(((YamlScalarNode)document["metadata"]["name"]).Value!);
            if (document.Children.TryGetValue("spec", out var spec) && ((YamlMappingNode)spec).Children.ContainsKey("template"))
                Assert.Equal(spec["selector"]["matchLabels"]["app"], spec["template"]["metadata"]["labels"]["app"]);
        }
    }

    [Fact]
    public void Compose_builds_services_that_are_projects_and_waits_for_services_that_are_there()
    {
        var services = (YamlMappingNode)((YamlMappingNode)Read("compose.yaml").Single())["services"];
        var names = services.Children.Keys.Select(key => ((YamlScalarNode)key).Value!).ToHashSet();
        foreach (var service in services.Children.Values.Cast<YamlMappingNode>().Where(service => service.Children.ContainsKey("build")))
        {
            var project = ((YamlScalarNode)service["build"]["args"]["SERVICE"]).Value!;
            Assert.True(File.Exists(Path.Combine(Folder, "../src", project, project + ".csproj")), project);
        }
        Assert.Superset(new HashSet<string> { "rabbitmq", "redis" }, names);
    }

    [Fact]
    public void Both_ways_of_deploying_configure_the_broker_alike() =>
        Assert.Equal(
            File.ReadAllText(Path.Combine(Folder, "rabbitmq.conf")), File.ReadAllText(Path.Combine(Folder, "kubernetes/rabbitmq.conf")));

    private static IReadOnlyList<YamlNode> Read(string file)
    {
        var stream = new YamlStream();
        using var reader = File.OpenText(Path.Combine(Folder, file));
        stream.Load(reader);
        return [.. stream.Documents.Select(document => document.RootNode)];
    }

    /// <summary>Whether a path like Worker, Clients, 0, Name leads to a property.</summary>
    private static bool Exists(ReadOnlySpan<string> path)
    {
        if (!Sections.TryGetValue(path[0], out var type))
            return false;
        foreach (var step in path[1..])
        {
            var next = int.TryParse(step, out _) && typeof(IEnumerable).IsAssignableFrom(type)
                ? type.GetGenericArguments().SingleOrDefault()
                : type.GetProperty(step, BindingFlags.Public | BindingFlags.Instance)?.PropertyType;
            if (next is null)
                return false;
            type = next;
        }
        return true;
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"\b[A-Z]\w*?__\w+")]
    private static partial Regex Variable();
}
