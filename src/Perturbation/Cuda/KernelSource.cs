using System.Reflection;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>
/// CUDA source of kernels. A device compiles <see cref="Directions"/> and, behind it, as one program, the sources that others bring: they
/// use its types, reads and writes, and their kernels are launched like its own. Names of functions and structs are shared, so they differ.
/// </summary>
/// <param name="Name">What the compiler's messages call it.</param>
/// <param name="Text">The source.</param>
public sealed record KernelSource(string Name, string Text)
{
    /// <summary>kernels.cu: perturb and rebuild.</summary>
    public static KernelSource Directions { get; } = Embedded(typeof(KernelSource).Assembly, "kernels.cu");

    /// <summary>One that is embedded in an assembly.</summary>
    /// <param name="assembly">Whose.</param>
    /// <param name="name">The resource's name.</param>
    /// <exception cref="ArgumentException">The assembly has no such resource.</exception>
    public static KernelSource Embedded(Assembly assembly, string name)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        using var stream = assembly.GetManifestResourceStream(name)
            ?? throw new ArgumentException($"{assembly.GetName().Name} has no resource {name}.", nameof(name));
        using StreamReader reader = new(stream);
        return new KernelSource(name, reader.ReadToEnd());
    }

    /// <summary>kernels.cu and what is compiled behind it, with messages of the compiler that name the source and its line.</summary>
    public static string Program(IReadOnlyList<KernelSource> more)
    {
        ArgumentNullException.ThrowIfNull(more);
        return string.Concat(more.Prepend(Directions).Select(source => $"#line 1 \"{source.Name}\"\n{source.Text}\n"));
    }
}
