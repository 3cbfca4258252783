using System.Xml.Linq;

namespace FedKSeed.Architecture.Tests;

/// <summary>A project file: what it names, and what that brings.</summary>
/// <param name="Path">Of its folder, such as src/Federation.</param>
/// <param name="Projects">Names of the projects that it references.</param>
/// <param name="Packages">Names of the packages that it references, under any condition.</param>
internal sealed record Project(string Path, IReadOnlySet<string> Projects, IReadOnlySet<string> Packages)
{
    public string Name => System.IO.Path.GetFileName(Path);

    public static IReadOnlyDictionary<string, Project> All { get; } =
        SourceFiles.With(".csproj").Select(Read).ToDictionary(project => project.Name);

    /// <summary>Packages that the build needs but no code names: Directory.Packages.props says why.</summary>
    public static IReadOnlySet<string> TransitivePins { get; } = XDocument.Load(SourceFiles.Full("Directory.Packages.props"))
        .Descendants("ItemGroup").Single(group => group.Attribute("Label")?.Value.StartsWith("Transitive pins") == true)
        .Elements().Select(Included).ToHashSet();

    /// <summary>Itself and every project that it references, or that those do.</summary>
    public IReadOnlyList<Project> Closure()
    {
        var (found, left) = (new Dictionary<string, Project> { [Name] = this }, new Stack<string>(Projects));
        while (left.TryPop(out var name))
        {
            if (!found.TryAdd(name, All[name]))
                continue;
            foreach (var next in All[name].Projects)
                left.Push(next);
        }
        return [.. found.Values];
    }

    private static Project Read(string file)
    {
        var xml = XDocument.Load(SourceFiles.Full(file));
        var projects = xml.Descendants("ProjectReference")
            .Select(reference => System.IO.Path.GetFileNameWithoutExtension(Included(reference)));
        return new Project(
            System.IO.Path.GetDirectoryName(file)!.Replace('\\', '/'),
            projects.ToHashSet(),
            xml.Descendants("PackageReference").Select(Included).ToHashSet());
    }

    private static string Included(XElement element) => element.Attribute("Include")!.Value.Replace('\\', '/');
}
